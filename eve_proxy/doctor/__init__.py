"""``eve-proxy doctor``: from where an application runs, the ways around the proxy and the ways into it are tried.

It runs beside the application, not in the daemon: neither Twisted nor zope, nothing of the proxy's own sockets. What
is sent stands in ``messages.py`` and nowhere else; the machine is asked in ``network.py`` and ``machine.py`` only.
"""
