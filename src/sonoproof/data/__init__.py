"""Data: from a sheet and a folder to audited rows, decoded frames and a split that does not leak."""
