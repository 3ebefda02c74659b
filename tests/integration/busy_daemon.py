"""The daemon with short minutes, so that a test of seconds sees every kind of record.

``busy_daemon.py COMMAND...`` runs the twistd COMMAND in this process with a heartbeat each 50 ms. For tests only.
"""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run

from eve_proxy import session

session.MINUTE = 0.05  # type: ignore[misc]
sys.argv = sys.argv[1:]
run()
