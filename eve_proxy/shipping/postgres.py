"""An append-only PostgreSQL table as a store (``postgres.sql``). Needs psycopg: ``pip install 'eve-proxy[postgres]'``.

The primary key (log id, number) is what makes it exactly once: a batch is one transaction, and a record that is there
already fails the whole of it.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import psycopg
from psycopg import errors

from eve_proxy.model.certificate import LogLink
from eve_proxy.shipping.store import Batch, StoreMoved, StoreRefused, StoreUnavailable

_END: Final = "SELECT seq, content_hash FROM eve_audit.certificates WHERE log_id = %s ORDER BY seq DESC LIMIT 1"
_INSERT: Final = (
    "INSERT INTO eve_audit.certificates (log_id, seq, line)"
    " SELECT %s, seq, line FROM unnest(%s::bigint[], %s::text[]) AS batch (seq, line)"
)
# Durable on the server before it answers, whatever its default is; and an answer within a minute.
_SESSION: Final = "SET synchronous_commit = 'on'; SET statement_timeout = '60s'"
_CONNECT: Final = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


def ddl() -> str:
    """The statements that make the table and its roles."""
    return files("eve_proxy.shipping").joinpath("postgres.sql").read_text("utf-8")


class PostgresStore:
    """One connection, made when it is needed and again after it broke.

    :param conninfo: of libpq; what it does not say comes from PGHOST, PGUSER, PGPASSFILE and so on.
    """

    def __init__(self, conninfo: str = "") -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection[Any] | None = None

    def end(self, log_id: str) -> LogLink | None:
        """See ``Store``."""
        row = self._run(_END, (log_id,), answers=True)
        return None if row is None else LogLink(id=log_id, seq=row[0] + 1, prev=row[1])

    def append(self, batch: Batch) -> None:
        """See ``Store``."""
        numbers = list(range(batch.first.seq, batch.following.seq))
        lines = [line[:-1].decode("utf-8") for line in batch.lines]
        self._run(_INSERT, (batch.first.id, numbers, lines), answers=False)

    def close(self) -> None:
        """See ``Store``."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _run(self, statement: str, arguments: tuple[Any, ...], *, answers: bool) -> Any:
        try:
            connection = self._connected()
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(statement, arguments)
                return cursor.fetchone() if answers else None
        except errors.UniqueViolation as error:
            raise StoreMoved("these records are in the table already") from error
        except (psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction) as error:
            self.close()
            raise StoreUnavailable(_said(error)) from error
        except psycopg.Error as error:
            self.close()
            raise StoreRefused(f"the database refuses: {_said(error)}") from error

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            connection = psycopg.connect(self._conninfo, autocommit=True, **_CONNECT)  # type: ignore[arg-type]
            connection.execute(_SESSION)
            self._connection = connection
        return self._connection


def _said(error: psycopg.Error) -> str:
    # Without the line that it is about, which the server's DETAIL quotes.
    return error.diag.message_primary or str(error).strip().partition("\n")[0] or type(error).__name__
