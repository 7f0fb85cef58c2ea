"""Choosing calibration, threshold and abstention on rows that are not reported."""
