"""Two network namespaces: an application's, with the proxy in it, and an internet behind one cable."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.sidecar import ROOT, Process, Sidecar

PROGRAMS = ("ip", "iptables", "ip6tables", "nft", "setpriv", "curl")
PROXY_UID, APP_UID = "1337", "4321"
# Public addresses, reachable only inside; the application's own are private, as a pod's.
WEB4, WEB6, OTHER4 = "93.184.216.34", "2606:2800:21f:cb07::9", "93.184.216.99"
NAME = "web.example"
_READY = re.compile(r'"ready": true')
# Another user that may read the checkout, wherever it lies.
_AS_PROXY = (
    *("setpriv", f"--reuid={PROXY_UID}", f"--regid={PROXY_UID}", "--clear-groups"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
)
_AS_APP = ("setpriv", f"--reuid={APP_UID}", f"--regid={APP_UID}", "--clear-groups")


def missing() -> str | None:
    """Why this machine cannot have them, or None."""
    if os.geteuid():
        return "network namespaces need root"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    absent = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: iproute2 iptables nftables util-linux curl)"
    name = f"eve-try-{uuid.uuid4().hex[:6]}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


class Crossing:
    """Both namespaces, and the origin in the outer one.

    :param folder: for certificates, and the proxy's journal.
    """

    def __init__(self, folder: Path, certificate: Path, key: Path) -> None:
        tag = uuid.uuid4().hex[:6]
        self.app, self.net = f"eve-app-{tag}", f"eve-net-{tag}"
        self._folder = folder
        self._hosts = Path("/etc/netns") / self.app / "hosts"
        self._origin: Process | None = None
        self._processes: list[Process] = []
        try:
            self._build()
            command = ["ip", "netns", "exec", self.net, sys.executable]
            command += [str(ROOT / "tests/fakes/crossing_origin.py"), str(certificate), str(key)]
            self._origin = Process(command, dict(os.environ), folder, pattern=_READY)
            self._origin.wait_ready()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        ip(f"netns add {self.app}", f"netns add {self.net}")
        ip(f"link add name va netns {self.app} type veth peer name vb netns {self.net}")
        for namespace, device, v4, v6 in (
            (self.app, "va", "10.50.0.2", "fd50::2"),
            (self.net, "vb", "10.50.0.1", "fd50::1"),
        ):
            ip(
                f"-n {namespace} link set lo up",
                f"-n {namespace} link set {device} up",
                f"-n {namespace} addr add {v4}/24 dev {device}",
                f"-n {namespace} addr add {v6}/64 dev {device} nodad",
            )
        ip(f"-n {self.app} route add default via 10.50.0.1", f"-n {self.app} -6 route add default via fd50::1")
        for address in (f"{WEB4}/32", f"{OTHER4}/32", f"{WEB6}/128", "169.254.169.254/32"):
            ip(f"-n {self.net} addr add {address} dev lo")
        self._hosts.parent.mkdir(parents=True)
        self._hosts.write_text(f"127.0.0.1 localhost\n{WEB4} {NAME} pastebin.example\n{WEB6} six.example\n")

    def rules(self, action: str = "apply", **settings: str) -> subprocess.CompletedProcess[str]:
        """etc/redirect-iptables.sh in the application's namespace."""
        environ = {**os.environ, **settings}
        return self._inside(["sh", str(ROOT / "etc/redirect-iptables.sh"), action], env=environ)

    def nft(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """nft in the application's namespace."""
        return self._inside(["nft", *arguments])

    def listing(self) -> str:
        """Every rule that is in force, without counters and comments."""
        saved = [self._inside([command]).stdout for command in ("iptables-save", "ip6tables-save")]
        lines = [line for text in saved for line in text.splitlines() if not line.startswith(("#", ":"))]
        return "\n".join([*lines, self._inside(["nft", "list", "table", "inet", "eve_redirect"]).stdout])

    def proxy(self, **settings: str | None) -> Sidecar:
        """The sidecar, inside, as the exempt user, on its usual ports."""
        self._folder.chmod(0o777)
        chosen: dict[str, str | None] = {
            "EVE_PROXY_PORT": "3128",
            "EVE_PROXY_TRANSPARENT_PORT": "15001",
            "EVE_PROXY_HOST": "0.0.0.0",
            "EVE_PROXY_ALLOWED_NETWORKS": "",
            "EVE_PROXY_CONNECT_PORTS": "443",
            "EVE_PROXY_CONNECT_SNI": None,
            "EVE_PROXY_BLOCKED_HOSTS": "pastebin.example",
            **settings,
        }
        sidecar = Sidecar(self._folder, prefix=("ip", "netns", "exec", self.app, *_AS_PROXY), **chosen)
        self._processes.append(sidecar)
        return sidecar

    def curl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """curl as the application, without any proxy setting. The body is the output."""
        command = ["curl", "-sS", "--max-time", "8", *arguments]
        environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        return self._inside([*_AS_APP, *command], env=environ)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A Python program as the application."""
        return self._inside([*_AS_APP, "/usr/bin/env", "python3", "-c", program, *arguments])

    @contextmanager
    def started(self, program: str) -> Iterator[str]:
        """A Python program of the application's while it runs; the first line that it prints."""
        command = ["ip", "netns", "exec", self.app, *_AS_APP, "/usr/bin/env", "python3", "-c", program]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield process.stdout.readline().strip()
            finally:
                process.kill()

    def curl_from_outside(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """curl in the outer namespace. The body is the output."""
        command = ["ip", "netns", "exec", self.net, "curl", "-sS", "--noproxy", "*", "--max-time", "8", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def reached(self) -> list[dict[str, Any]]:
        """What has arrived at the origin since the last call."""
        assert self._origin is not None
        lines = [json.loads(line) for line in self._origin.lines]
        self._origin.lines.clear()
        return [line for line in lines if "ready" not in line]

    def _inside(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", self.app, *command],
            capture_output=True, text=True, check=False, timeout=60, **options,
        )  # fmt: skip

    def close(self) -> None:
        """Everything is gone afterwards."""
        for process in [*self._processes, *([self._origin] if self._origin else [])]:
            if process.process.poll() is None:
                process.kill()
        for namespace in (self.app, self.net):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
        shutil.rmtree(self._hosts.parent, ignore_errors=True)


def ip(*commands: str) -> None:
    """Run ``ip`` with each of these."""
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)
