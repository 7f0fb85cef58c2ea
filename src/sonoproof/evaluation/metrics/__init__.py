"""Metrics of a named positive class, and the curves behind them."""
