"""Where a benchmark's daemons live: a folder, loopback ports, an origin, a governor, and a core for each side."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SMALL = b"x" * 200
VERDICT = '{"decision":{"status":"ALLOWED"}}'
LARGE = 1024 * 1024 * 1024
# Debian keeps nginx where an ordinary user's PATH does not look.
PROGRAMS = f"{os.environ.get('PATH', '')}:/usr/sbin"

# The origin and the governor are two servers of one nginx: neither is measured, both are on the client's core.
_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; default_type application/json;
    sendfile on; tcp_nodelay on; client_body_buffer_size 128k;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{origin} backlog=4096; root {folder}/www;
        location / {{ return 200 '{small}'; }}
        location /large {{ }}
    }}
    server {{ listen 127.0.0.1:{governor} backlog=4096; location / {{ return 200 '{verdict}'; }} }}
}}
"""


class DidNotStart(Exception):
    """A daemon ended or was not there in time; the text is what it printed."""


class Daemon:
    """A process on the measured core, or on the client's.

    :param ready: says from its output so far whether it can be asked.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        *,
        core: int,
        ready: Callable[[str], bool],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.output = folder / f"{name}.out"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *command], cwd=folder, env=environ, stdout=output, stderr=output
            )
        deadline = time.monotonic() + 20
        while not ready(self.output.read_text(errors="replace")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise DidNotStart(f"{name} did not start:\n{self.output.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)  # noqa: TID251

    def cpu_seconds(self) -> float:
        """User and system time of the whole process tree so far, ended children included."""
        children: dict[int, list[int]] = {}
        spent: dict[int, float] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                # The name may hold blanks and parentheses: the fields begin after its last one.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            spent[int(entry.name)] = sum(map(int, fields[11:15])) / TICKS
        total, waiting = 0.0, [self.process.pid]
        while waiting:
            pid = waiting.pop()
            total += spent.get(pid, 0.0)
            waiting += children.get(pid, [])
        return total

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


class Bed:
    """A folder of its own with an origin and a governor stub; whatever was started in it ends with it.

    :param parent: where the folder is made. The journal's fdatasync is measured there: not on a tmpfs.
    :ivar proxy_core: where what is measured runs; everything else is on ``client_core``.
    """

    def __init__(self, parent: Path | None = None) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.proxy_core, self.client_core = cores[0], cores[-1]
        self.daemons: list[Daemon] = []
        self.folder = Path(tempfile.mkdtemp(prefix="eve-bench-", dir=parent))

    def __enter__(self) -> Bed:
        os.sched_setaffinity(0, {self.client_core})
        self.origin, self.governor = unused_port(), unused_port()
        www = self.folder / "www"
        www.mkdir()
        with (www / "large").open("wb") as large:
            large.truncate(LARGE)
        config = self.folder / "nginx.conf"
        config.write_text(
            _NGINX.format(
                folder=self.folder,
                origin=self.origin,
                governor=self.governor,
                small=SMALL.decode(),
                verdict=VERDICT,
            )
        )
        nginx = shutil.which("nginx", path=PROGRAMS) or "nginx"
        self.start(
            "nginx",
            [nginx, "-e", "stderr", "-p", str(self.folder), "-c", str(config)],
            core=self.client_core,
            ready=lambda _: accepts(self.origin) and accepts(self.governor),
        )
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in reversed(self.daemons):
            daemon.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        ready: Callable[[str], bool],
        core: int | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Daemon:
        """Start a daemon, on the measured core unless another is named.

        :raises DidNotStart: with what it printed.
        """
        core = self.proxy_core if core is None else core
        daemon = Daemon(name, command, self.folder, core=core, ready=ready, environ=environ)
        self.daemons.append(daemon)
        return daemon


def unused_port() -> int:
    """A loopback port that nobody used a moment ago, for daemons that cannot say which one the kernel gave them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
