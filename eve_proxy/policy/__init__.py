"""Floor 2: local rules. Pure functions and pre-filters over model values; no I/O, no Twisted."""
