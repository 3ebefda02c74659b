"""A service manager for one daemon: passes it sockets, hears what it says. Never imports the product.

``service_manager.py DESCRIPTORS PROGRAM...`` (as a program) moves the comma-separated DESCRIPTORS to 3 and up, says
with LISTEN_PID that they are for this process, and becomes PROGRAM.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIRST = 3


class Manager:
    """Listening sockets on ports of the kernel's choice, and a NOTIFY_SOCKET.

    :param names: FileDescriptorName= of each socket.
    """

    def __init__(self, folder: Path, *names: str, abstract: bool = False) -> None:
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
        self._names = names
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        where = f"@eve-test-{os.getpid()}-{id(self)}" if abstract else str(folder / "notify")
        self._notify.bind(where.replace("@", "\0"))
        self.where = where
        self.heard: list[str] = []
        self.at: list[float] = []
        self._listeners: list[Callable[[str], None]] = []
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self) -> None:
        while True:
            try:
                message = self._notify.recv(65536).decode()
            except OSError:
                return
            for listener in self._listeners:
                listener(message)
            self.at.append(time.monotonic())
            self.heard.append(message)

    def when_told(self, listener: Callable[[str], None]) -> None:
        """Call it with each message, before the message is in ``heard``."""
        self._listeners.append(listener)

    def starting(self, *, owner: str | None = None, names: str | None = None) -> dict[str, Any]:
        """What ``Sidecar`` needs to be started by this one: ``prefix``, ``pass_fds`` and variables.

        :param owner: LISTEN_PID, when it shall be wrong.
        :param names: LISTEN_FDNAMES, when they shall be others.
        """
        descriptors = [each.fileno() for each in self.sockets]
        told: dict[str, Any] = {"NOTIFY_SOCKET": self.where}
        if descriptors:
            told["LISTEN_FDS"] = str(len(descriptors))
            told["LISTEN_FDNAMES"] = ":".join(self._names) if names is None else names
            told["LISTEN_PID"] = owner
        listed = ",".join(map(str, descriptors))
        return {"prefix": (sys.executable, __file__, listed), "pass_fds": tuple(descriptors), **told}

    def said(self, text: str) -> bool:
        """Whether a message has this line."""
        return any(text in message.split("\n") for message in self.heard)

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (*self.sockets, self._notify):
            each.close()


def main(descriptors: str, *program: str) -> None:
    """Become the program."""
    low = [int(each) for each in descriptors.split(",") if each]
    high = [fcntl.fcntl(each, fcntl.F_DUPFD, 100) for each in low]
    for each in low:
        os.close(each)
    for place, descriptor in enumerate(high):
        os.dup2(descriptor, FIRST + place, inheritable=True)
        os.close(descriptor)
    if "LISTEN_FDS" in os.environ:
        os.environ.setdefault("LISTEN_PID", str(os.getpid()))
    os.execv(program[0], program)


if __name__ == "__main__":
    main(*sys.argv[1:])
