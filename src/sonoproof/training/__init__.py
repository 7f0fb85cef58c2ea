"""Training: from frames and a split to a saved model."""
