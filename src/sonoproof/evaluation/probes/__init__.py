"""Cross-validated probes of the data: shortcuts, naive against honest splits, label doubts."""
