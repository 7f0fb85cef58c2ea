"""What the terminal prints at the end of a command."""
