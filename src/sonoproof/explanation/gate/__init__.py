"""The trust gate: whether the maps of an explanation method depend on the model and the frame."""
