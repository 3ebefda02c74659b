"""A Debian that systemd-nspawn boots, in a network namespace of the test's. Never imports the product."""

from __future__ import annotations

import configparser
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAMS = ("debootstrap", "systemd-nspawn", "nsenter")
# Where the Debian is kept from one run to the next; it is made there when there is none. Unset: made for each run.
CACHE = "EVE_TEST_DEBIAN"
# What docs/deploy/vm.md begins with, and what a minimal Debian needs to be one that boots.
PACKAGES = "systemd,systemd-sysv,dbus,iproute2,ca-certificates,logrotate,curl,nftables,python3,python3-venv"


def missing() -> str | None:
    """Why this machine cannot boot another, or None."""
    if os.geteuid():
        return "systemd-nspawn needs root"
    absent = [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: debootstrap systemd-container util-linux)"
    return None


def debian(folder: Path) -> Path:
    """The root of a fresh Debian 12 in ``folder``: minutes, or seconds from the cache."""
    kept = Path(os.environ[CACHE]) if CACHE in os.environ else None
    root = folder / "root"
    if kept is None or not (kept / "usr/bin/systemctl").exists():
        made = kept or root
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(made), timeout=1800)
    if kept is not None:
        run("cp", "-a", "--reflink=auto", str(kept), str(root))
    return root


def checkout(destination: Path) -> None:
    """What somebody has who cloned the project, as far as a deployment needs it."""
    left_out = shutil.ignore_patterns(".*", "build", "dist", "data", "*.egg-info", "__pycache__", "tests", "benchmarks")
    shutil.copytree(ROOT, destination, ignore=left_out, symlinks=True)


def wheels(house: Path) -> None:
    """Everything that pip fetches to build and install this project on Debian's Python."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    needed = [line for line in setup["options"]["install_requires"].split("\n") if line]
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download")
    run(*pip, "--only-binary=:all:", "--python-version=3.11", "--dest", str(house), *needed, "setuptools>=68", "wheel")


def run(*command: str, timeout: float = 600) -> str:
    """The output of a command; fails with all that it said."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


class Machine:
    """One boot of a root.

    :param namespace: of ``ip netns``; the machine's only network.
    """

    def __init__(self, root: Path, namespace: str) -> None:
        self.root = root
        self._namespace = namespace
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._console = root.with_name("console")

    def boot(self) -> None:
        """Until everything that is enabled has been started."""
        options = (
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
        )
        network = (f"--network-namespace-path=/run/netns/{self._namespace}", "--capability=CAP_NET_ADMIN")
        command = ["systemd-nspawn", *options, *network, f"--machine={self._namespace}", "-D", str(self.root), "-b"]
        with open(self._console, "ab") as console:
            self._nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        ends = time.monotonic() + 60
        while True:
            assert self._nspawn.poll() is None, self._console.read_text()
            assert time.monotonic() < ends, self._console.read_text()
            for child in children.read_text().split():
                if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    self._leader = int(child)
                    # It answers something else, and at once, before it can be asked.
                    if self.code("systemctl", "is-system-running", "--wait")[1] in ("running\n", "degraded\n"):
                        return
            time.sleep(0.1)  # noqa: TID251  a real machine has no clock of ours

    def code(self, *command: str, timeout: float = 120) -> tuple[int, str]:
        """Run a command inside: its exit code and what it said."""
        inside = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "--", *command]
        environ = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root", "SYSTEMD_PAGER": ""}
        done = subprocess.run(
            inside, env=environ, capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL
        )
        return done.returncode, done.stdout + done.stderr

    def run(self, *command: str, timeout: float = 120) -> str:
        """As ``code``, when it must go well."""
        code, said = self.code(*command, timeout=timeout)
        assert code == 0, f"{' '.join(command)}: {code}\n{said[-6000:]}"
        return said

    def sh(self, script: str, timeout: float = 600) -> str:
        """Lines of a shell, the first that fails ends it."""
        return self.run("sh", "-euc", script, timeout=timeout)

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).strip()

    def log(self, unit: str) -> str:
        """What the unit and systemd said of it."""
        return self.code("journalctl", "--no-pager", "-o", "cat", "-u", unit)[1]

    def off(self) -> None:
        """Power off, or pull the plug. Leaves no process and no mount."""
        nspawn, self._nspawn = self._nspawn, None
        if nspawn is None:
            return
        nspawn.send_signal(signal.SIGTERM)
        try:
            nspawn.wait(60)
        except subprocess.TimeoutExpired:
            if self._leader:
                os.kill(self._leader, signal.SIGKILL)
            nspawn.kill()
            nspawn.wait(20)
