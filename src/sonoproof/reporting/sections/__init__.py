"""The sections of the report, a module each: evidence in, blocks out."""
