"""Floor 3: the reference decision point. Pure rules and detectors; served in-process and by ``twistd eve-governor``."""
