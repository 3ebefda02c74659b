"""Floor 3: copying journals to stores that cannot be changed, each record exactly once. No Twisted, no daemon."""
