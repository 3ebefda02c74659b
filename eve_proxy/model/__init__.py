"""Floor 0: the frozen values that flow through the proxy. Standard library only, no I/O, no clock."""
