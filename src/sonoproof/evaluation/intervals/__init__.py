"""Uncertainty: resampling of whole groups, DeLong's and exact intervals."""
