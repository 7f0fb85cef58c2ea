"""Sonoproof: a label sheet and a folder of ultrasound frames go in; a classifier that can be defended comes out."""

__version__ = "0.2.0"
