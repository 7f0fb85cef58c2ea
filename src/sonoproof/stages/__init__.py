"""The stages of a run: each reads from the run folder, does one thing through one package, and writes to the folder."""
