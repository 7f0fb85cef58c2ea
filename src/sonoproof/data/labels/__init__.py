"""Grids of text to labelled rows: which column is what, and what its values mean."""
