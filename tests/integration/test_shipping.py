"""``eve-proxy ship`` against real stores, killed and robbed of them while a daemon writes; every line is compared."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.origin import Origin
from tests.integration.client import pause, verify
from tests.integration.sidecar import ROOT, SECRET, Sidecar, until
from tests.integration.stores import Postgres, S3Server
from tests.integration.test_rotation import Load

PROGRAM = "import sys; from eve_proxy.cli import main; sys.exit(main())"


def eve_proxy(*arguments: str, environ: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "JWT_SECRET_KEY": SECRET, **(environ or {})}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], env=settings, **options)


def finished(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, (out or b"").decode() + (err or b"").decode()


def run(*arguments: str, environ: dict[str, str] | None = None, stdin: bytes | None = None) -> tuple[int, str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.PIPE}
    process = eve_proxy(*arguments, environ=environ, **pipes)
    out, err = process.communicate(stdin, timeout=60)
    return process.returncode, out.decode() + err.decode()


def written(folder: Path) -> list[bytes]:
    """Every line of the daemon's journal, in the order of the chain."""
    files = [path for path in folder.glob("journal.jsonl*") if path.suffix not in (".lock", ".checkpoint")]
    lines = [line for path in files for line in path.read_bytes().splitlines()]
    return sorted(lines, key=lambda line: int(line.rpartition(b'"seq":')[2].partition(b",")[0]))


class Shipping:
    """A shipper process that is killed and started again."""

    def __init__(self, arguments: list[str], environ: dict[str, str], log: Path) -> None:
        self._arguments = arguments
        self._environ = environ
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = eve_proxy(*self._arguments, environ=self._environ, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def wait(self, word: str) -> None:
        """Until it says so once more."""
        said = self._log.read_text().count(word)
        until(lambda: self._log.read_text().count(word) > said, timeout=60)


def robbed_and_killed(
    folder: Path,
    ship: list[str],
    environ: dict[str, str],
    *,
    lives: int,
    take: Callable[[], None],
    give: Callable[[], None],
) -> None:
    """A daemon under load and rotation; the shipper is killed at random moments, the store goes away and comes back.

    Each life of the shipper lasts until it has shipped something, and a random moment more.
    """
    dice = random.Random()
    shipping = Shipping([*ship, "--every", "0.05", str(folder)], environ, folder / "ship.log")
    with Origin() as origin, Sidecar(folder) as sidecar:
        shipping.start()
        with Load(sidecar, origin, pace=0.01) as load:
            for number in range(lives):
                shipping.wait("shipped")
                if number % 2:
                    take()
                    shipping.wait("unavailable")
                    pause(dice.uniform(0, 0.5))
                    give()
                    shipping.wait("shipped")
                pause(dice.uniform(0, 0.4))
                shipping.kill()
                sidecar.journal.rename(folder / f"journal.jsonl.{number}")
                shipping.start()
            load.wait(5)
        assert load.problems == []
        assert sidecar.stop() == 0
    shipping.kill()
    status, said = run(*ship, "--once", str(folder), environ=environ)
    assert status == 0, said


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def table(postgres: Postgres) -> Postgres:
    """A server with a fresh table, made by the statements that the command prints."""
    import psycopg

    status, statements = run("ship", "postgres", "--ddl")
    assert status == 0
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS eve_audit CASCADE")
        connection.execute(statements)  # type: ignore[arg-type]
        for user, role in (("ship", "eve_shipper"), ("audit", "eve_auditor")):
            connection.execute(f"DROP ROLE IF EXISTS {user}")  # type: ignore[arg-type]
            connection.execute(f"CREATE ROLE {user} LOGIN IN ROLE {role}")  # type: ignore[arg-type]
    return postgres


def rows(server: Postgres, user: str = "audit") -> list[tuple[str, int, str]]:
    import psycopg

    with psycopg.connect(server.dsn(user)) as connection:
        return connection.execute(
            "SELECT log_id, seq, line FROM eve_audit.certificates ORDER BY log_id, seq"
        ).fetchall()


def test_postgres_robbed_and_killed(table: Postgres, tmp_path: Path) -> None:
    """The table holds every line of the journal once, byte for byte, and what it holds verifies as a journal."""
    ship = ["ship", "postgres", "--dsn", table.dsn("ship")]
    robbed_and_killed(tmp_path, ship, {}, lives=4, take=table.crash, give=table.start)
    stored = [line.encode() for _, _, line in rows(table)]
    assert stored == written(tmp_path)
    status, said = run("verify", "-", stdin=b"".join(line + b"\n" for line in stored))
    assert status == 0, said


def test_postgres_refuses_every_change(table: Postgres, tmp_path: Path) -> None:
    """The role that adds cannot change, remove or read lines; the auditor only reads; the owner is stopped as well."""
    import psycopg
    from psycopg import errors

    with Origin() as origin, Sidecar(tmp_path) as sidecar:
        with Load(sidecar, origin) as load:
            load.wait(3)
        sidecar.stop()
    assert run("ship", "postgres", "--dsn", table.dsn("ship"), "--once", str(tmp_path))[0] == 0
    before = rows(table)
    assert [line.encode() for _, _, line in before] == written(tmp_path)
    statements = (
        "UPDATE eve_audit.certificates SET line = line",
        "DELETE FROM eve_audit.certificates",
        "TRUNCATE eve_audit.certificates",
        "DROP TABLE eve_audit.certificates",
        "ALTER TABLE eve_audit.certificates DISABLE TRIGGER ALL",
        "SELECT line FROM eve_audit.certificates",
        "INSERT INTO eve_audit.certificates (log_id, seq, line, shipped_at) SELECT 'x', 0, '{}', now()",
    )
    for user, allowed in (("ship", ()), ("audit", ("SELECT line FROM eve_audit.certificates",))):
        for statement in statements:
            with psycopg.connect(table.dsn(user)) as connection:
                if statement in allowed:
                    connection.execute(statement)  # type: ignore[arg-type]
                else:
                    with pytest.raises(errors.InsufficientPrivilege):
                        connection.execute(statement)  # type: ignore[arg-type]
    with psycopg.connect(table.dsn()) as connection:
        for statement in statements[:3]:
            with pytest.raises(psycopg.Error, match="append-only"), connection.transaction():
                connection.execute(f"SET LOCAL ROLE eve_audit_owner; {statement}")  # type: ignore[arg-type]
    log_id, seq, line = before[-1]
    with psycopg.connect(table.dsn("ship")) as connection:
        for wrong in ((log_id, seq, line), (log_id, seq + 1, line), ("log_0000000000000000", seq, line)):
            with pytest.raises(errors.IntegrityError), connection.transaction():
                connection.execute("INSERT INTO eve_audit.certificates (log_id, seq, line) VALUES (%s, %s, %s)", wrong)
    assert rows(table) == before


def test_postgres_two_shippers_at_once(table: Postgres, tmp_path: Path) -> None:
    """Started twice by mistake, they get in each other's way, and every line is still there once."""
    ship = ["ship", "postgres", "--dsn", table.dsn("ship"), "--every", "0.05", str(tmp_path)]
    with Origin() as origin, Sidecar(tmp_path) as sidecar:
        shippers = [Shipping(ship, {}, tmp_path / f"ship{number}.log") for number in range(2)]
        for shipper in shippers:
            shipper.start()
        with Load(sidecar, origin) as load:
            load.wait(60)
        sidecar.stop()
        until(lambda: len(rows(table)) == len(written(tmp_path)), timeout=20)
        for shipper in shippers:
            assert shipper.process is not None
            shipper.process.terminate()
            assert shipper.process.wait(20) == 0
    assert [line.encode() for _, _, line in rows(table)] == written(tmp_path)


def test_postgres_without_a_table(postgres: Postgres, tmp_path: Path) -> None:
    """What is missing is said at once, and nothing is tried for ever."""
    import psycopg

    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS eve_audit CASCADE")
    with Sidecar(tmp_path) as sidecar:
        sidecar.stop()
    status, said = run("ship", "postgres", "--dsn", postgres.dsn(), "--once", str(tmp_path))
    assert status == 2
    assert 'the database refuses: relation "eve_audit.certificates" does not exist' in said


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    try:
        yield server
    finally:
        server.stop()


def objects(server: S3Server, bucket: str) -> dict[str, bytes]:
    """Every object by name; each has one version."""
    client = server.client()
    found = client.list_object_versions(Bucket=bucket)
    assert not found.get("DeleteMarkers")
    names = [entry["Key"] for entry in found.get("Versions", [])]
    assert len(set(names)) == len(names)
    return {name: client.get_object(Bucket=bucket, Key=name)["Body"].read() for name in sorted(names)}


@pytest.mark.parametrize("lives", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_s3_robbed_and_killed(s3: S3Server, tmp_path: Path, lives: int) -> None:
    """The objects together are the journal: every line once, byte for byte; downloaded they verify as a directory."""
    journals, copy = tmp_path / "journals", tmp_path / "copy"
    journals.mkdir()
    bucket = s3.bucket(f"robbed-{uuid.uuid4().hex[:8]}")
    ship = ["ship", "s3", "--bucket", bucket, "--endpoint-url", s3.endpoint]
    robbed_and_killed(journals, ship, s3.environment(), lives=lives, take=s3.stop, give=s3.start)
    stored = objects(s3, bucket)
    assert len(stored) > lives
    assert b"".join(stored.values()).splitlines() == written(journals)
    for name, content in stored.items():
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    status, said = verify(copy)
    assert status == 0, said


def test_s3_objects_cannot_be_removed(s3: S3Server, tmp_path: Path) -> None:
    """Each version is locked, with the retention of the bucket or the one that was asked for, until its time."""
    from botocore.exceptions import ClientError

    with Sidecar(tmp_path) as sidecar:
        sidecar.stop()
    client = s3.client()
    bucket = s3.bucket(f"locked-{uuid.uuid4().hex[:8]}", days=None)
    ship = ["ship", "s3", "--bucket", bucket, "--endpoint-url", s3.endpoint, "--once"]
    status, said = run(*ship, str(tmp_path), environ=s3.environment())
    assert (status, "no default retention" in said) == (2, True)
    status, said = run(*ship, "--retain-days", "3", str(tmp_path), environ=s3.environment())
    assert status == 0, said
    (name,) = objects(s3, bucket)
    head = client.head_object(Bucket=bucket, Key=name)
    assert head["ObjectLockMode"] == "COMPLIANCE"
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key=name, VersionId=head["VersionId"])
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=bucket, Key=name, Body=b"forged", IfNoneMatch="*", ChecksumAlgorithm="SHA256")
    assert objects(s3, bucket)[name].splitlines() == written(tmp_path)


def test_s3_without_lock(s3: S3Server, tmp_path: Path) -> None:
    """A bucket that does not keep its objects is refused, unless one says that it is meant."""
    with Sidecar(tmp_path) as sidecar:
        sidecar.stop()
    bucket = s3.bucket(f"open-{uuid.uuid4().hex[:8]}", lock=False)
    ship = ["ship", "s3", "--bucket", bucket, "--endpoint-url", s3.endpoint, "--once", str(tmp_path)]
    status, said = run(*ship, environ=s3.environment())
    assert (status, "no Object Lock" in said) == (2, True)
    assert run(*ship, "--no-lock", environ=s3.environment())[0] == 0
    status, said = run(*[part if part != bucket else "not-there-at-all" for part in ship], environ=s3.environment())
    assert (status, "there is no bucket" in said) == (2, True)
    wrong = {**s3.environment(), "AWS_SECRET_ACCESS_KEY": "wrong"}
    status, said = run(*ship, "--no-lock", environ=wrong)
    assert status == 2
    assert "refuses" in said
    assert "wrong" not in said
