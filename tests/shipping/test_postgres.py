"""The PostgreSQL store without a server; with one: tests/integration/test_shipping.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from eve_proxy.shipping import postgres
from eve_proxy.shipping.postgres import PostgresStore, ddl
from eve_proxy.shipping.store import Batch, StoreMoved, StoreRefused, StoreUnavailable
from tests.fakes.journal import link

BATCH = Batch(first=link(3), following=link(5), lines=(b'{"a":"\xc3\xa9"}\n', b"{}\n"))


class Connection:
    """One that answers, or fails, as the test says."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self.ran: list[tuple[str, Any]] = []
        self.closed = False

    def execute(self, statement: str, arguments: Any = None) -> None:
        self.ran.append((statement, arguments))
        if arguments is not None and isinstance(self.outcome, Exception):
            raise self.outcome

    def fetchone(self) -> Any:
        return self.outcome

    def transaction(self) -> Connection:
        return self

    cursor = transaction

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def store(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> tuple[PostgresStore, list[Connection]]:
    made: list[Connection] = []

    def connect(conninfo: str, **options: Any) -> Connection:
        assert options["connect_timeout"] > 0
        made.append(Connection(outcome))
        return made[-1]

    monkeypatch.setattr(postgres.psycopg, "connect", connect)
    return PostgresStore("host=db"), made


def test_end_is_behind_the_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next record's number and the hash that it must name; None for a log without rows."""
    found = store(monkeypatch, (41, "sha256-ab"))[0].end("log_1")
    assert found is not None
    assert (found.id, found.seq, found.prev) == ("log_1", 42, "sha256-ab")
    assert store(monkeypatch, None)[0].end("log_1") is None


def test_a_batch_is_one_statement_in_one_durable_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines go without their newlines, as text; the server answers when they are on its disk."""
    target, made = store(monkeypatch, None)
    target.append(BATCH)
    (settings, _), (_, arguments) = made[0].ran
    assert "synchronous_commit = 'on'" in settings
    assert arguments == ("log_0123456789abcdef", [3, 4], ['{"a":"é"}', "{}"])
    target.append(BATCH)
    assert len(made) == 1
    target.close()
    assert made[0].closed


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (errors.UniqueViolation("taken"), StoreMoved),
        (psycopg.OperationalError("server closed the connection"), StoreUnavailable),
        (psycopg.InterfaceError("the connection is closed"), StoreUnavailable),
        (errors.DiskFull("no space"), StoreUnavailable),
        (errors.QueryCanceled("statement timeout"), StoreUnavailable),
        (errors.ReadOnlySqlTransaction("a standby"), StoreUnavailable),
        (errors.UndefinedTable("no table"), StoreRefused),
        (errors.InsufficientPrivilege("denied"), StoreRefused),
        (errors.CheckViolation("not its number"), StoreRefused),
    ],
)
def test_what_helps(monkeypatch: pytest.MonkeyPatch, error: Exception, becomes: type[Exception]) -> None:
    """Waiting helps against outages, asking again against a lost answer, and nothing against a missing table."""
    target, made = store(monkeypatch, error)
    with pytest.raises(becomes):
        target.append(BATCH)
    assert made[0].closed is (becomes is not StoreMoved)
    with pytest.raises(becomes):
        target.append(BATCH)
    assert len(made) == (1 if becomes is StoreMoved else 2)


def test_no_server(tmp_path: Path) -> None:
    """A server that is not there is an outage."""
    with pytest.raises(StoreUnavailable):
        PostgresStore(f"host={tmp_path} dbname=x user=x").end("log_1")


def test_ddl_is_in_the_package() -> None:
    """The statements are printed by the installed command."""
    assert "CREATE TABLE eve_audit.certificates" in ddl()
