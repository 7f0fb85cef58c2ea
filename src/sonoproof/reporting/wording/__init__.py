"""Numbers, captions and tables in words."""
