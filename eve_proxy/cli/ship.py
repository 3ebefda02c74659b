"""``eve-proxy ship``: copy journals to a store that cannot be changed, and go on copying (docs/audit.md)."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO

from eve_proxy.model.text import clean
from eve_proxy.shipping.shipper import Shipper
from eve_proxy.shipping.source import Source
from eve_proxy.shipping.store import Store, StoreRefused
from eve_proxy.system import SystemClock, SystemEntropy

OK: Final = 0
INCOMPLETE: Final = 1
USAGE: Final = 2

_EPILOG: Final = """Nothing is remembered here: the store says where each journal ends in it. Stop it, kill it, start it
again, run it twice: each record is stored once.

exit status:
  0  told to stop, or with --once: everything that is durable is stored
  1  --once: a journal could not be shipped as a whole; says which and why
  2  usage, or the store refuses"""

_MISSING: Final = "eve-proxy ship {store} needs {module}, which is not installed: pip install 'eve-proxy[{store}]'"


class _NotInstalled(Exception):
    """The message says what to install."""


def main(
    argv: Sequence[str],
    stdout: TextIO,
    stderr: TextIO,
    environ: Mapping[str, str],
    stop: threading.Event | None = None,
) -> int:
    """Run the command and give back its exit status.

    :param stop: set when it is time to end; by default SIGTERM and SIGINT set one.
    """
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr):
            options = _parser().parse_args(list(argv))
    except SystemExit as left:
        return int(left.code or 0)

    def say(text: str) -> None:
        print(f"eve-proxy ship: {clean(text, 1000)}", file=stderr, flush=True)

    try:
        if options.store == "postgres" and options.ddl:
            stdout.write(_postgres().ddl())
            return OK
        if options.directory is None or not options.directory.is_dir():
            say(f"{options.directory or 'no directory'}: give the directory that holds the journals")
            return USAGE
        return _ship(options, stop or _stopped_by_signals(), say)
    except (StoreRefused, OSError, _NotInstalled) as error:
        say(str(error))
        return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eve-proxy ship",
        description="Copy journals, rotated files included, to a store that cannot be changed; each record once.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    stores = parser.add_subparsers(dest="store", required=True, metavar="s3|postgres")
    s3 = stores.add_parser("s3", help="a bucket with Object Lock")
    s3.add_argument("--bucket", required=True)
    s3.add_argument("--prefix", default="eve-proxy/", help="of every object's name (default: %(default)s)")
    s3.add_argument("--endpoint-url", metavar="URL", help="of a store that is not Amazon's")
    s3.add_argument(
        "--retain-days", type=_days, metavar="N", help="lock each object so long; else the bucket's default"
    )
    s3.add_argument("--retain-mode", choices=("COMPLIANCE", "GOVERNANCE"), default="COMPLIANCE")
    s3.add_argument("--no-lock", action="store_true", help="ship to a bucket that does not keep its objects")
    postgres = stores.add_parser("postgres", help="an append-only table")
    postgres.add_argument(
        "--dsn", default="", help="of libpq; what it leaves out comes from PGHOST, PGUSER, PGPASSFILE and the like"
    )
    postgres.add_argument("--ddl", action="store_true", help="print the statements that make the table, and end")
    for store, every in ((s3, 60.0), (postgres, 1.0)):
        store.add_argument("directory", type=Path, nargs="?", help="that holds the journals")
        store.add_argument("--once", action="store_true", help="ship what is there, and end")
        store.add_argument(
            "--every", type=_seconds, default=every, metavar="SECONDS", help="between two looks (default: %(default)g)"
        )
        store.add_argument(
            "--begin-late",
            action="store_true",
            help="begin a journal that the store does not know with the first record that is here, if that is not 0",
        )
    return parser


def _ship(options: argparse.Namespace, stop: threading.Event, say: Callable[[str], None]) -> int:
    store = _s3_store(options) if options.store == "s3" else _postgres().PostgresStore(options.dsn)
    source = Source(options.directory, begin_late=options.begin_late)
    shipper = Shipper(source, store, wait=stop.wait, random=_random, say=say)
    try:
        if not options.once:
            shipper.follow(options.every)
            return OK
        complete = shipper.once()
        say(f"{shipper.shipped} records shipped")
        return OK if complete and not shipper.faults else INCOMPLETE
    finally:
        source.close()
        store.close()


def _random() -> float:
    return int(SystemEntropy().hex(4), 16) / (1 << 32)


def _s3_store(options: argparse.Namespace) -> Store:
    try:
        from eve_proxy.shipping import s3
    except ModuleNotFoundError as error:
        raise _not_installed("s3", "boto3", error) from error
    days: int | None = options.retain_days
    retention = None if days is None else s3.Retention(mode=options.retain_mode, days=days)
    client = s3.make_client(options.endpoint_url)
    return s3.S3Store(
        client,
        options.bucket,
        prefix=options.prefix,
        clock=SystemClock(),
        retention=retention,
        locked=not options.no_lock,
    )


def _postgres() -> Any:
    try:
        from eve_proxy.shipping import postgres
    except ImportError as error:  # also psycopg without any of its implementations
        raise _not_installed("postgres", "psycopg", error) from error
    return postgres


def _not_installed(store: str, module: str, error: ImportError) -> Exception:
    if error.name is not None and error.name.startswith("eve_proxy"):
        return error
    return _NotInstalled(_MISSING.format(store=store, module=module))


def _stopped_by_signals() -> threading.Event:
    stop = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    return stop


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.05 <= value <= 86400:
        raise argparse.ArgumentTypeError("from 0.05 to 86400 seconds")
    return value


def _days(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 36500:
        raise argparse.ArgumentTypeError("from 1 to 36500 days")
    return value
