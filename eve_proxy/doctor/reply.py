"""What came back over HTTP, from whoever answered. Read leniently: only the proxy's own answers are trusted, later."""

from __future__ import annotations

import http.client
import io
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A response.

    :ivar fields: the first value of each, by lower-case name.
    """

    status: int
    fields: dict[str, str]
    body: bytes


class _Given:
    """What ``http.client`` takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def read_reply(data: bytes, *, method: str = "GET") -> Reply | None:
    """The response in ``data``, or None when it is not one. A body that was cut off is given as far as it came."""
    response = http.client.HTTPResponse(_Given(data), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
        fields: dict[str, str] = {}
        for name, value in response.getheaders():
            fields.setdefault(name.lower(), value)
        # What follows the head of an opened tunnel is the tunnel's.
        body = b"" if method == "CONNECT" and response.status == 200 else response.read()
    except http.client.IncompleteRead as error:
        body = error.partial
    except (http.client.HTTPException, ValueError):
        return None
    return Reply(status=response.status, fields=fields, body=body)
