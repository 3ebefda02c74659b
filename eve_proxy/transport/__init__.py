"""Floor 5: sockets. Everything that reads, writes, dials or waits; decides nothing."""
