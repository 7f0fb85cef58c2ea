"""The blocks that the page is made of, and the files that it reads."""
