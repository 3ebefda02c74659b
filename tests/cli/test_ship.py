"""``eve-proxy ship`` as it is typed; with real stores: tests/integration/test_shipping.py."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from eve_proxy.cli import ship
from eve_proxy.cli.ship import main
from eve_proxy.shipping.store import StoreRefused
from tests.fakes.journal import Bench
from tests.shipping.test_shipper import MemoryStore


def run(*argv: str, stop: threading.Event | None = None) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    status = main(argv, stdout, stderr, {}, stop or threading.Event())
    return status, stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    store = MemoryStore()

    class Module:
        @staticmethod
        def PostgresStore(dsn: str) -> Any:
            assert dsn == "host=db"
            return store

    monkeypatch.setattr(ship, "_postgres", lambda: Module)
    return store


@pytest.fixture
def journal(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "events.jsonl")
    bench.record()
    return bench


def test_once(memory: MemoryStore, journal: Bench) -> None:
    """What is there is stored, and the number is said."""
    status, _, err = run("postgres", "--dsn", "host=db", "--once", str(journal.path.parent))
    assert status == 0
    assert "2 records shipped" in err
    assert [len(lines) for lines in memory.lines.values()] == [2]


def test_once_says_what_is_incomplete(memory: MemoryStore, journal: Bench) -> None:
    """Exit 1 when a journal could not be copied as a whole."""
    journal.path.write_bytes(journal.path.read_bytes().replace(b"allow", b"block", 1))
    status, _, err = run("postgres", "--dsn", "host=db", "--once", str(journal.path.parent))
    assert status == 1
    assert "not shipped" in err


def test_follows_until_told_to_stop(memory: MemoryStore, journal: Bench) -> None:
    """SIGTERM ends it well; what is there has been stored."""
    stop = threading.Event()
    stop.set()
    assert run("postgres", "--dsn", "host=db", str(journal.path.parent), stop=stop)[0] == 0
    assert [len(lines) for lines in memory.lines.values()] == [2]


def test_a_store_that_refuses(memory: MemoryStore, journal: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2 with the reason, on one line."""

    def refuse(log_id: str) -> Any:
        raise StoreRefused("no such\ntable")

    monkeypatch.setattr(memory, "end", refuse)
    status, _, err = run("postgres", "--dsn", "host=db", str(journal.path.parent))
    assert status == 2
    assert err.count("\n") == 1
    assert "no such" in err


@pytest.mark.parametrize(("store", "module"), [("s3", "boto3"), ("postgres", "psycopg")])
def test_a_library_that_is_not_installed(
    store: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is the command that installs it."""
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"eve_proxy.shipping.{store}", raising=False)
    monkeypatch.delattr(f"eve_proxy.shipping.{store}", raising=False)
    arguments = ("--bucket", "b") if store == "s3" else ()
    status, _, err = run(store, *arguments, str(tmp_path))
    assert status == 2
    assert f"needs {module}" in err
    assert f"pip install 'eve-proxy[{store}]'" in err


def test_ddl() -> None:
    """The statements go to standard output, for psql."""
    status, out, _ = run("postgres", "--ddl")
    assert status == 0
    assert out.startswith("-- An append-only table")


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("postgres",),
        ("postgres", "/does/not/exist"),
        ("s3", "/tmp"),
        ("s3", "--bucket", "b", "--retain-days", "0", "/tmp"),
        ("postgres", "--every", "0", "/tmp"),
        ("azure", "/tmp"),
    ],
)
def test_usage(argv: tuple[str, ...]) -> None:
    """What is missing is said, and nothing is done."""
    status, _, err = run(*argv)
    assert status == 2
    assert err
