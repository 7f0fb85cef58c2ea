"""What the network looked at, how far that can be believed, and whether it was the anatomy."""
