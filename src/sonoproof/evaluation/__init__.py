"""Metrics with intervals, calibration, operating points and comparisons of predictions."""
