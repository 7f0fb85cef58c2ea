"""The workbooks that people fill in or hand in."""
