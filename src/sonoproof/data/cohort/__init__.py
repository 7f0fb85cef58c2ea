"""Rows and files to records: every row is used, or quarantined with its reason."""
