"""Floor 4: the one pipeline. Judge, record, locate, permit; no Twisted, no sockets."""
