"""Files to pixels: decoding, facts, preprocessing, and the store of decoded frames."""
