"""A file of a spreadsheet program to grids of text: its kind, its limits, what is hidden, what it shows."""
