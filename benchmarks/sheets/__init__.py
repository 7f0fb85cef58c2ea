"""Random label sheets whose truth is known."""
