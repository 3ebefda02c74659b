"""The daemon with a disk that can be made to hang, and with a witness of what it does on the network.

``held_daemon.py HOLD WITNESS COMMAND...`` runs the twistd COMMAND in this process. While the file HOLD exists,
fdatasync does not return; SIGUSR1 makes the reactor's thread hang for good. Each name looked up, each connect and each
datagram is a line in WITNESS: an audit hook of the interpreter sees them all, whoever makes them. For tests only; never
imports the product.
"""

from __future__ import annotations

import os
import signal
import sys
import time

HOLD, WITNESS = sys.argv[1:3]
EVENTS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto", "socket.sendmsg")
_fdatasync = os.fdatasync
_witness = os.open(WITNESS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def _held(fd: int) -> None:
    while os.path.exists(HOLD):
        time.sleep(0.005)  # noqa: TID251 - in the committer's thread, like a disk
    _fdatasync(fd)


def _witnessed(event: str, arguments: tuple[object, ...]) -> None:
    if event in EVENTS:
        told = [argument for argument in arguments if isinstance(argument, str | bytes | int | tuple)]
        os.write(_witness, f"{event} {told}\n".encode())


def _hang(*_: object) -> None:
    time.sleep(3600)  # noqa: TID251


os.fdatasync = _held
signal.signal(signal.SIGUSR1, _hang)
sys.addaudithook(_witnessed)
sys.argv = sys.argv[3:]

from twisted.scripts.twistd import run  # noqa: E402 - only now: nothing may be imported past the hook

run()
