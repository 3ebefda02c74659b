"""A Kubernetes manifest, played by podman inside a network namespace that has an origin in it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import yaml

from tests.integration.crossing import NAME, WEB4, WEB6, ip
from tests.integration.sidecar import ROOT, Process
from tests.packaging.images import Store

_READY = re.compile(r'"ready": true')
CONFIGURATION = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
base_hosts_file = "{folder}/hosts"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
infra_image = "localhost/eve-pause"
infra_command = ""
[network]
network_backend = "cni"
network_config_dir = "{folder}/cni"
"""


class Played:
    """The outer namespace, its origin, and at most one pod.

    :param folder: for certificates and configuration.
    :ivar environ: what podman needs to be told by it.
    """

    def __init__(self, store: Store, folder: Path, certificate: Path, key: Path) -> None:
        self._store, self._folder = store, folder
        self.net = f"eve-pod-{uuid.uuid4().hex[:6]}"
        self._prefix = ("nsenter", f"--net=/var/run/netns/{self.net}")
        self._pod: str | None = None
        self._secrets: list[str] = []
        (folder / "cni").mkdir()
        (folder / "hosts").write_text(f"127.0.0.1 localhost\n{WEB4} {NAME} pastebin.example\n")
        (folder / "containers.conf").write_text(CONFIGURATION.format(folder=folder))
        self.environ = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
        ip(f"netns add {self.net}", f"-n {self.net} link set lo up")
        for address in (f"{WEB4}/32", f"{WEB6}/128"):
            ip(f"-n {self.net} addr add {address} dev lo")
        origin = str(ROOT / "tests/fakes/crossing_origin.py")
        command = [*self._prefix, sys.executable, origin, str(certificate), str(key)]
        self._origin = Process(command, dict(os.environ), folder, pattern=_READY)
        self._origin.wait_ready()

    def podman(self, *arguments: str) -> str:
        """podman, in the namespace."""
        return self._store.run("podman", *arguments, prefix=self._prefix, env=self.environ)

    def secret(self, name: str, **entries: str) -> None:
        """A Secret, as podman 4 keeps them."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()}
        file = self._folder / "secret"
        file.write_text(json.dumps(encoded))
        self.podman("secret", "create", name, str(file))
        self._secrets.append(name)

    def play(self, manifest: dict[str, Any]) -> None:
        """Start the pod. podman 4 restarts init containers for ever unless ``restartPolicy`` is Never."""
        manifest["spec"].setdefault("restartPolicy", "Never")
        file = self._folder / "pod.yaml"
        file.write_text(yaml.safe_dump(manifest))
        self._pod = manifest["metadata"]["name"]
        self.podman("kube", "play", str(file))

    def address(self) -> str:
        """The pod's, as a kubelet would probe it."""
        assert self._pod is not None
        infra = json.loads(self.podman("pod", "inspect", self._pod))["InfraContainerID"]
        (network,) = json.loads(self.podman("inspect", infra))[0]["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def probe(self, path: str, port: int) -> str:
        """The body of a kubelet's question, or what curl says."""
        url = f"http://{self.address()}:{port}{path}"
        command = [*self._prefix, "curl", "-sS", "--noproxy", "*", "--max-time", "5", url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout or done.stderr

    def wait(self, path: str, port: int, container: str) -> None:
        """Until the probe says ok; fails with the container's log."""
        deadline = time.monotonic() + 30
        while self.probe(path, port) != "ok":
            assert time.monotonic() < deadline, self.logs(container)
            time.sleep(0.2)  # noqa: TID251  a real process has no clock of ours

    def run(self, container: str, *command: str, **variables: str) -> tuple[int, str]:
        """A program in a container: its exit code, and all it said."""
        settings = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
        done = subprocess.run(
            [*self._prefix, "podman", *self._store.options, "exec", *settings, self._named(container), *command],
            capture_output=True, text=True, check=False, timeout=60, env=self.environ,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def logs(self, container: str) -> str:
        """What it has said."""
        done = subprocess.run(
            ["podman", *self._store.options, "logs", self._named(container)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.stdout

    def reached(self) -> list[dict[str, Any]]:
        """What has arrived at the origin since the last call."""
        lines = [json.loads(line) for line in self._origin.lines if line.startswith("{")]
        self._origin.lines.clear()
        return [line for line in lines if "ready" not in line]

    def _named(self, container: str) -> str:
        return f"{self._pod}-{container}"

    def end(self) -> None:
        """The pod is gone."""
        if self._pod is not None:
            self.podman("pod", "rm", "-f", "-t", "0", self._pod)
            self._pod = None

    def close(self) -> None:
        """Everything is gone."""
        try:
            self.end()
            for name in self._secrets:
                self.podman("secret", "rm", name)
        finally:
            self._origin.kill()
            subprocess.run(["ip", "netns", "del", self.net], capture_output=True, check=False)
            shutil.rmtree(self._folder / "cni", ignore_errors=True)
