"""Floor 2: bytes and events. Parsers, serialisers and the connection's state table; no I/O, no Twisted."""
