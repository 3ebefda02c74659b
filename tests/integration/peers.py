"""Real proxies for tests, to be the parent: squid and tinyproxy. Never imports the product."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from pathlib import Path

import pytest

SQUID = shutil.which("squid") or ("/usr/sbin/squid" if os.path.exists("/usr/sbin/squid") else None)
TINYPROXY = shutil.which("tinyproxy")
NCSA = "/usr/lib/squid/basic_ncsa_auth"
needs_squid = pytest.mark.skipif(SQUID is None, reason="squid is not installed")
needs_tinyproxy = pytest.mark.skipif(TINYPROXY is None, reason="tinyproxy is not installed")

_SQUID_CONF = """
{listen}
pid_filename {folder}/squid.pid
cache_log {folder}/cache.log
access_log stdio:{folder}/access.log
cache deny all
coredump_dir {folder}
shutdown_lifetime 0 seconds
hosts_file {folder}/hosts
{lines}
"""


def free_port() -> int:
    """A port that was free a moment ago: these programs cannot be told to let the kernel choose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Peer:
    port: int
    process: subprocess.Popen[bytes]

    def _wait(self, log: Path) -> None:
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)  # noqa: TID251  a real process has no clock of ours
        self.stop()
        raise AssertionError(f"it did not start:\n{log.read_text() if log.exists() else ''}")

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def __exit__(self, *_: object) -> None:
        self.stop()


class Squid(_Peer):
    """``squid -N`` with a configuration of its own.

    :param lines: the access rules.
    :param hosts: names that only this squid knows (its ``hosts_file``), all at 127.0.0.1.
    :param credentials: ``user:password``; None asks for none.
    :param tls: PEM files of a certificate and its key: it is then an https proxy.
    """

    def __init__(
        self,
        folder: Path,
        lines: str,
        *,
        hosts: tuple[str, ...] = (),
        credentials: str | None = None,
        tls: tuple[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        os.chmod(folder, 0o777)
        for parent in folder.parents:
            if parent.owner() != "root" or len(parent.parts) < 3:
                break
            os.chmod(parent, parent.stat().st_mode | 0o011)
        (folder / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in hosts))
        if credentials is not None:
            user, _, password = credentials.partition(":")
            hashed = subprocess.run(
                ["openssl", "passwd", "-apr1", password], capture_output=True, text=True, check=True
            ).stdout
            (folder / "passwd").write_text(f"{user}:{hashed}")
            lines = (
                f"auth_param basic program {NCSA} {folder}/passwd\nauth_param basic realm parent\n"
                f"acl known proxy_auth REQUIRED\n{lines}"
            )
        listen = f"http_port 127.0.0.1:{self.port}"
        if tls is not None:
            listen = f"https_port 127.0.0.1:{self.port} tls-cert={tls[0]} tls-key={tls[1]}"
        (folder / "squid.conf").write_text(_SQUID_CONF.format(listen=listen, folder=folder, lines=lines))
        assert SQUID is not None
        self.process = subprocess.Popen(
            [SQUID, "-n", f"eve{uuid.uuid4().hex[:10]}", "-N", "-f", str(folder / "squid.conf")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait(folder / "cache.log")

    def __enter__(self) -> Squid:
        return self

    @property
    def access_log(self) -> str:
        """What it was asked, so far."""
        log = self.folder / "access.log"
        return log.read_text() if log.exists() else ""


class Tinyproxy(_Peer):
    """``tinyproxy -d``.

    :param lines: more lines of its configuration, such as ``BasicAuth user password``.
    """

    def __init__(self, folder: Path, lines: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        conf = folder / "tinyproxy.conf"
        conf.write_text(
            f"Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Connect\n"
            f'LogFile "{folder}/tinyproxy.log"\nPidFile "{folder}/tinyproxy.pid"\nAllow 127.0.0.1\n{lines}\n'
        )
        assert TINYPROXY is not None
        self.process = subprocess.Popen(
            [TINYPROXY, "-d", "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait(folder / "tinyproxy.log")

    def __enter__(self) -> Tinyproxy:
        return self
