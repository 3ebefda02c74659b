"""Container images, built and run for real: a debootstrap base, buildah, podman, in a store of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.crossing import missing as missing_namespaces
from tests.integration.sidecar import ROOT

PROGRAMS = ("buildah", "podman", "runc", "debootstrap", "tar")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
BASE = "docker.io/library/debian:bookworm-slim"
# What this machine's limits permit.
LIMITS = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096")
# Without systemd podman has nothing to run health checks by.
UNTIMED = ("--health-interval", "disable")
ABSENT = [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]
REASON = f"not installed: {', '.join(ABSENT)}" if ABSENT else missing_namespaces()
# What an application's image may be: curl, and something that stays.
APP = f"""
FROM {BASE}
RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGKILL
CMD ["sleep", "infinity"]
"""
PAUSE = f"""
FROM {BASE}
STOPSIGNAL SIGKILL
ENTRYPOINT ["sleep", "infinity"]
"""


class Store:
    """Images and containers.

    :ivar folder: where they are.
    :ivar options: what every program is told first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options = [f"--root={folder}/store", f"--runroot={folder}/run", "--storage-driver=vfs"]

    def run(self, program: str, *arguments: str, prefix: tuple[str, ...] = (), **options: Any) -> str:
        """buildah or podman; fails with all it said.

        :param prefix: a command to run it under.
        """
        command = [*prefix, program, *self.options, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, **options)
        assert done.returncode == 0, f"{command}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
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
        # As in Debian's own images: no packages and no lists are kept.
        for kept in (*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*Packages*")):
            kept.unlink()
        (root / "etc/apt/apt.conf.d/docker-clean").write_text(
            'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\nAPT::Keep-Downloaded-Packages "false";\n'
        )
        archive = self.folder / "base.tar"
        subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
        shutil.rmtree(root)
        self.run("podman", "import", str(archive), BASE)
        archive.unlink()

    def build(self, file: str, tag: str) -> None:
        """As the Dockerfile's first lines say."""
        options = ("--format", "docker", "--isolation", "chroot", "--pull-never")
        self.run("buildah", "bud", *options, "-f", file, "-t", tag, ".", cwd=ROOT)

    def build_text(self, text: str, tag: str) -> None:
        """An image of the tests' own."""
        file = self.folder / f"{tag}.Dockerfile"
        file.write_text(text)
        self.build(str(file), tag)

    def start(self, image: str, namespace: str, *options: str, detach: bool = True) -> str:
        """A container in a network namespace, with a read-only root and no capability but those in ``options``."""
        return self.run(
            "podman", "run", *(("-d",) if detach else ("--rm",)), "--runtime", "runc", *LIMITS, "--read-only",
            "--cap-drop", "all", "--security-opt", "no-new-privileges", "--network", f"ns:/var/run/netns/{namespace}",
            *options, image,
        )  # fmt: skip

    def clean(self) -> None:
        """Nothing of it runs afterwards."""
        for arguments in (("pod", "rm", "-af"), ("rm", "-af", "-t", "0"), ("rmi", "-af")):
            subprocess.run(["podman", *self.options, *arguments], capture_output=True, check=False, timeout=300)
