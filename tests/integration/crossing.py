"""Two network namespaces: an application's, with the proxy in it, and an internet behind one cable."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import trustme

from tests.integration.sidecar import ROOT, Process, Sidecar

PROGRAMS = ("ip", "iptables", "ip6tables", "nft", "setpriv", "curl")
PROXY_UID, APP_UID = "1337", "4321"
# Public addresses, reachable only inside; the application's own are private, as a pod's.
WEB4, WEB6, OTHER4 = "93.184.216.34", "2606:2800:21f:cb07::9", "93.184.216.99"
METADATA6 = "fd00:ec2::254"
NAME = "web.example"
_READY = re.compile(r'"ready": true')


def as_user(uid: str) -> tuple[str, ...]:
    """Another user that may read the checkout, wherever it lies."""
    return (
        *("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"),
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
    )


_AS_APP = ("setpriv", f"--reuid={APP_UID}", f"--regid={APP_UID}", "--clear-groups")


_RESOLVER = """
import select, socket, sys
sockets = []
for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.bind((address, 53))
    sockets += [datagrams, socket.create_server((address, 53), family=family)]
print("ready", flush=True)
while True:
    for ready in select.select(sockets, [], [])[0]:
        if ready.type == socket.SOCK_STREAM:
            ready.accept()[0].sendall(b"answer")
        else:
            ready.sendto(b"answer", ready.recvfrom(512)[1])
"""


class Program(subprocess.Popen[str]):
    """Ends when its context does."""

    def __exit__(self, *reason: Any) -> None:
        self.kill()
        super().__exit__(*reason)


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
        for address in (f"{WEB4}/32", f"{OTHER4}/32", f"{WEB6}/128", "169.254.169.254/32", f"{METADATA6}/128"):
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
        sidecar = Sidecar(self._folder, prefix=("ip", "netns", "exec", self.app, *as_user(PROXY_UID)), **chosen)
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

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the application's namespace, as root."""
        return self._inside(list(command))

    def outside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command on the internet, as root."""
        return subprocess.run(
            ["ip", "netns", "exec", self.net, *command], capture_output=True, text=True, check=False, timeout=60
        )

    def doctor(self, *arguments: str, uid: str = APP_UID, **environ: str) -> subprocess.CompletedProcess[str]:
        """``eve-proxy doctor`` as the application."""
        program = "import sys; from eve_proxy.cli import main; sys.exit(main())"
        command = [*as_user(uid), sys.executable, "-c", program, "doctor", *arguments]
        return self._inside(command, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ})

    def serving(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        """A Python program as the application that goes on; leaving the context ends it."""
        return self._going_on([self.app, *_AS_APP], program, *arguments)

    def serving_outside(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        """A Python program on the internet that goes on; leaving the context ends it."""
        return self._going_on([self.net], program, *arguments)

    def resolver(self, *addresses: str) -> subprocess.Popen[str]:
        """Something at port 53 of these addresses of the internet, that says ``answer`` to anything."""
        process = self._going_on([self.net], _RESOLVER, *addresses)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def from_outside(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A Python program on the internet."""
        command = ["ip", "netns", "exec", self.net, "/usr/bin/env", "python3", "-c", program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def _going_on(self, where: list[str], program: str, *arguments: str) -> subprocess.Popen[str]:
        command = ["ip", "netns", "exec", *where, "/usr/bin/env", "python3", "-c", program, *arguments]
        return Program(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

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


def apply(crossing: Crossing, kind: str = "nftables") -> None:
    """The rules as they are shipped: ``iptables`` or ``nftables``."""
    applied = crossing.rules() if kind == "iptables" else crossing.nft("-f", str(ROOT / "etc/redirect.nft"))
    assert applied.returncode == 0, applied.stderr


def issue(folder: Path) -> None:
    """chain.pem, key.pem and ca.pem, which the application's user may read."""
    ca = trustme.CA()
    leaf = ca.issue_cert(NAME, "six.example", WEB4, WEB6)
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    chain = b"".join([blob.bytes() for blob in leaf.cert_chain_pems])
    (folder / "chain.pem").write_bytes(chain)
    for parent in (folder, *folder.parents):
        if parent == Path("/tmp"):
            break
        parent.chmod(parent.stat().st_mode | 0o055)


def ip(*commands: str) -> None:
    """Run ``ip`` with each of these."""
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)
