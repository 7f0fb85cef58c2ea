"""Inference: a saved model answers for frames."""
