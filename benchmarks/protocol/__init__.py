"""The protocol by which a change of the training is taken or not: see ``benchmarks/accuracy.py``."""
