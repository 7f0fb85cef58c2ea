"""Records to parts and folds: whole groups only, and a check for leaks that does not trust the split."""
