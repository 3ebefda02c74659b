"""etc/docker/compose.yaml, run by podman-compose with images built here. Slow (builds the images)."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.integration.crossing import NAME, WEB4
from tests.integration.sidecar import ROOT, SECRET, until
from tests.packaging.images import REASON, Store
from tests.packaging.pods import Played

ABSENT = "podman-compose is not installed (scripts/venv deploy)"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
    pytest.mark.skipif(importlib.util.find_spec("podman_compose") is None, reason=ABSENT),
]


class Project:
    """A copy of the compose file, and the services it starts inside a namespace with an origin."""

    def __init__(self, store: Store, folder: Path, played: Played) -> None:
        self._folder, self.played = folder, played
        self.name = f"eve{uuid.uuid4().hex[:6]}"
        wrapper = folder / "podman"
        options = " ".join(store.options)
        wrapper.write_text(f'#!/bin/sh\nexec nsenter --net=/var/run/netns/{played.net} podman {options} "$@"\n')
        wrapper.chmod(0o755)
        where = folder / "etc" / "docker"
        where.mkdir(parents=True)
        text = (ROOT / "etc/docker/compose.yaml").read_text("utf-8")
        (where / "compose.yaml").write_text(text)
        (folder / "jwt_secret_key").write_text(SECRET)
        os.chown(folder / "jwt_secret_key", 1337, 1337)
        (folder / "jwt_secret_key").chmod(0o600)
        self._command = [sys.executable, "-m", "podman_compose", "--podman-path", str(wrapper), "-p", self.name]
        self._command += ["-f", str(where / "compose.yaml")]

    def compose(self, *arguments: str) -> str:
        """podman-compose; fails with all it said."""
        environ = {**self.played.environ, "APP_IMAGE": "localhost/eve-app"}
        done = subprocess.run(
            [*self._command, *arguments], capture_output=True, text=True, check=False, timeout=300, env=environ
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self, service: str) -> None:
        """One service. podman 4 cannot wait for a health check, nor start what requires a container that has ended."""
        self.compose("up", "-d", "--no-build", "--no-deps", service)

    def container(self, service: str) -> str:
        return f"{self.name}_{service}_1"


@pytest.fixture
def project(store: Store, tmp_path: Path) -> Iterator[Project]:
    ca = trustme.CA()
    leaf = ca.issue_cert(NAME, WEB4)
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "chain.pem").write_bytes(b"".join([blob.bytes() for blob in leaf.cert_chain_pems]))
    played = Played(store, tmp_path, tmp_path / "chain.pem", tmp_path / "key.pem")
    made = Project(store, tmp_path, played)
    try:
        yield made
        made.compose("down", "-v", "-t", "1")
    finally:
        played.close()


def test_up(project: Project) -> None:
    """The application reaches what is allowed and nothing else, and a sidecar that was restarted still guards it."""
    podman = project.played.podman
    project.up("network")
    project.up("redirect")
    until(lambda: podman("inspect", project.container("redirect"), "--format", "{{.State.Status}}") == "exited")
    assert podman("inspect", project.container("redirect"), "--format", "{{.State.ExitCode}}") == "0"
    project.up("eve-sidecar")
    until(lambda: "listening on" in podman("logs", project.container("eve-sidecar")), 30)
    podman("healthcheck", "run", project.container("eve-sidecar"))
    project.up("app")

    def curl(*arguments: str) -> str:
        asked = ("curl", "-sk", "--max-time", "8", "-w", " %{http_code}", *arguments)
        return podman("exec", project.container("app"), "sh", "-c", '"$@" || echo " failed"', "sh", *asked)

    assert curl(f"http://{NAME}/") == "origin\n 200"
    assert curl("--noproxy", "*", f"http://{NAME}/") == "origin\n 200"
    assert curl("--noproxy", "*", f"https://{NAME}/") == "origin\n 200"
    assert curl("--noproxy", "*", f"http://{NAME}:8443/").endswith("failed")
    podman("stop", "-t", "30", project.container("eve-sidecar"))
    assert curl("--noproxy", "*", f"http://{NAME}/").endswith("failed")
    podman("start", project.container("eve-sidecar"))
    assert until(lambda: curl("--noproxy", "*", f"http://{NAME}/") == "origin\n 200")
    kinds = [
        json.loads(line)["kind"]
        for line in podman(
            "exec", project.container("eve-sidecar"), "cat", "data/governance/fail_closed/fail_closed_events.jsonl"
        ).splitlines()
    ]
    assert kinds.count("session_open") == 2
    assert kinds.count("session_close") == 1
    assert kinds.count("decision") >= 4
