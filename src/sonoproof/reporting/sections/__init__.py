"""The sections of the report, a module each: files in, blocks out."""
