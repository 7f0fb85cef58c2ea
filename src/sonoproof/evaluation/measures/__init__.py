"""What is measured of predictions beyond the metrics: reliability, net benefit, predictive values, comparisons."""
