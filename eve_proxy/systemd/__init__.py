"""What a service manager hands to this process, and is told by it.

The protocols of sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3) are a few variables and datagrams, for which
the standard library is enough. Where no variable is set, nothing here does anything.
"""
