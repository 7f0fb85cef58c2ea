"""The speed benchmark: ours against the field's peer and against the processor, in the same rounds."""
