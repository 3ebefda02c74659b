"""The container images, built and run for real: a debootstrap base, buildah, podman, two containers in one namespace.

Slow (several minutes): scripts/test --all.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.integration.crossing import NAME, WEB4, WEB6, Crossing
from tests.integration.crossing import missing as missing_namespaces
from tests.integration.sidecar import ROOT, SECRET

PROGRAMS = ("buildah", "podman", "runc", "debootstrap", "tar")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
BASE = "docker.io/library/debian:bookworm-slim"
# What this machine's limits permit; there is no systemd for podman's own health checks.
LIMITS = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096", "--no-healthcheck")
ABSENT = [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]
REASON = f"not installed: {', '.join(ABSENT)}" if ABSENT else missing_namespaces()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]


class Store:
    """Images and containers of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._options = [f"--root={folder}/store", f"--runroot={folder}/run", "--storage-driver=vfs"]

    def run(self, program: str, *arguments: str, **options: Any) -> str:
        """buildah or podman; fails with all it said."""
        done = subprocess.run(
            [program, *self._options, *arguments], capture_output=True, text=True, check=False, timeout=900, **options
        )
        assert done.returncode == 0, f"{program} {arguments}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout.strip()

    def base(self) -> None:
        """Debian under the name that the Dockerfiles use, with this machine's certificates: no registry is asked."""
        root = self.folder / "base"
        subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(root)],
            check=True, capture_output=True, timeout=900,
        )  # fmt: skip
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
        (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
        archive = self.folder / "base.tar"
        subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
        shutil.rmtree(root)
        self.run("podman", "import", str(archive), BASE)
        archive.unlink()

    def build(self, file: str, tag: str) -> None:
        """As the Dockerfile's first lines say."""
        options = ("--format", "docker", "--isolation", "chroot", "--pull-never")
        self.run("buildah", "bud", *options, "-f", file, "-t", tag, ".", cwd=ROOT)

    def start(self, image: str, namespace: str, *options: str, detach: bool = True) -> str:
        """A container in a network namespace, with a read-only root and no capability but those in ``options``."""
        return self.run(
            "podman", "run", *(("-d",) if detach else ("--rm",)), "--runtime", "runc", *LIMITS, "--read-only",
            "--cap-drop", "all", "--security-opt", "no-new-privileges", "--network", f"ns:/var/run/netns/{namespace}",
            *options, image,
        )  # fmt: skip

    def clean(self) -> None:
        for program, arguments in (("podman", ("rm", "-af")), ("podman", ("rmi", "-af"))):
            subprocess.run([program, *self._options, *arguments], capture_output=True, check=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("images"))
    try:
        made.base()
        made.build("etc/docker/Dockerfile", "eve-sidecar")
        made.build("etc/docker/redirect.Dockerfile", "eve-redirect")
        yield made
    finally:
        made.clean()


def test_what_is_in_it(store: Store) -> None:
    """An ordinary user, a health check, no installer; its size is printed."""
    config = json.loads(store.run("buildah", "inspect", "--type", "image", "eve-sidecar"))["Docker"]
    assert config["config"]["User"] == "1337:1337"
    assert config["config"]["Entrypoint"] == ["twistd", "-n", "--pidfile=", "eve-sidecar"]
    assert config["config"]["Healthcheck"]["Test"][0] == "CMD"
    sizes = [
        int(json.loads(store.run("podman", "image", "inspect", name))[0]["Size"]) for name in ("eve-sidecar", BASE)
    ]
    print(f"\neve-sidecar: {(sizes[0] - sizes[1]) / 1e6:.0f} MB on a base of {sizes[1] / 1e6:.0f} MB")
    assert sizes[0] - sizes[1] < 300e6
    listed = store.run(
        "podman", "run", "--rm", "--runtime", "runc", *LIMITS, "--network", "none", "--entrypoint", "ls", "eve-sidecar",
        "/opt/eve-proxy/bin",
    )  # fmt: skip
    assert "twistd" in listed
    assert "pip" not in listed


def test_a_pod(store: Store, tmp_path: Path) -> None:
    """Rules, sidecar and application in one network namespace: what the application sends is decided, or rejected."""
    ca = trustme.CA()
    leaf = ca.issue_cert(NAME, WEB4, WEB6)
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "chain.pem").write_bytes(b"".join([blob.bytes() for blob in leaf.cert_chain_pems]))
    secret, journal = tmp_path / "secret", tmp_path / "journal"
    secret.write_text(SECRET)
    journal.mkdir()
    os.chown(journal, 1337, 1337)
    crossing = Crossing(tmp_path, tmp_path / "chain.pem", tmp_path / "key.pem")
    try:
        hosts = f"/etc/netns/{crossing.app}/hosts"
        store.start("eve-redirect", crossing.app, "--cap-add", "NET_ADMIN", detach=False)
        assert crossing.curl(f"http://{NAME}/").returncode == 7  # the rules are there before the proxy is
        began = time.monotonic()
        sidecar = store.start(
            "eve-sidecar", crossing.app,
            "-e", "JWT_SECRET_KEY_FILE=/run/secrets/key", "-v", f"{secret}:/run/secrets/key:ro",
            "-v", f"{journal}:/var/lib/eve-proxy", "-v", f"{hosts}:/etc/hosts:ro",
            "-e", "EVE_PROXY_GOVERNANCE_URL=embedded", "-e", "EVE_PROXY_BLOCKED_HOSTS=pastebin.example",
        )  # fmt: skip
        while crossing.curl("http://127.0.0.1:3128/readyz").stdout != "ok":
            assert time.monotonic() - began < 30, store.run("podman", "logs", sidecar)
        print(f"\nready {time.monotonic() - began:.1f} s after podman run")
        answered = crossing.curl("-i", f"http://{NAME}/")
        assert '"verdict":"allow"' in answered.stdout
        assert crossing.curl("-w", "%{http_code}", "http://pastebin.example/").stdout.endswith("451")
        assert crossing.curl(f"http://{WEB4}:8443/").returncode == 7
        assert [visit["via"] for visit in crossing.reached()] == ["1.1 eve"]
        store.run("podman", "stop", "-t", "30", sidecar)
        assert store.run("podman", "inspect", sidecar, "--format", "{{.State.ExitCode}}") == "0"
        assert crossing.curl(f"http://{NAME}/").returncode == 7
    finally:
        crossing.close()
    (written,) = journal.rglob("*.jsonl")
    kinds = [json.loads(line)["kind"] for line in written.read_text().splitlines()]
    assert kinds[0] == "session_open"
    assert kinds[-1] == "session_close"
