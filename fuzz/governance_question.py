"""What we ask the governor: any request that the edge accepts is asked about as it is, without its credentials.

The input is an HTTP request. The question is read back by other code, and by the reference decision point.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from eve_proxy.governance.codec import encode
from eve_proxy.governance.redaction import Redactor
from eve_proxy.model.body import Body
from eve_proxy.model.certificate import GENESIS, LogLink
from eve_proxy.model.digest import request_digest
from eve_proxy.model.exchange import Coverage, Exchange, Route
from eve_proxy.model.text import readable
from eve_proxy.pdp.question import parse_question, question_of
from fuzz import strict_json
from fuzz.corpora import files
from fuzz.opinions import our_request

LONGEST: Final = 2048
DICTIONARY: Final = (
    *(b"Authorization: Bearer s3cret\r\n", b"Cookie: a=b\r\n", b"X-Api-Key: k\r\n", b"\xff", b"\xc3\xa9", b"\x00"),
    *(b"\r\n\r\n", b"?key=", b"&token=", b";sig=", b"%6bey=", b"+key=", b"&api_key", b"=", b"&", b";", b"%3d", b"%"),
    *(b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b"CONNECT a:443 HTTP/1.1\r\n"),
    *(b"OPTIONS * HTTP/1.1\r\n", b"\xed\xa0\x80", b"\xe2\x80\xa8"),
)

_REDACTOR: Final = Redactor(b"0123456789abcdef")
# governance-api.md, "Request"; said once more, so that a name that gets lost is missed.
_SECRET_FIELDS: Final = ("authorization", "proxy-authorization", "cookie", "x-api-key")
_SECRET_PARAMETERS: Final = ("key", "api_key", "token", "access_token", "sig", "signature", "x-amz-signature")
_STAND_IN: Final = re.compile(r"hmac-[0-9a-f]{64}")
_TIME: Final = "2026-04-16T14:22:03.847Z"


def seeds() -> Iterator[bytes]:
    """The valid requests of the corpus, and some with credentials."""
    yield from files("valid/*.http")
    credentials = b"Authorization: Bearer s3cret\r\nCookie: a=s3cret\r\n"
    yield b"GET http://a/?key=s3cret&a=1;token=%20x HTTP/1.1\r\nHost: a\r\n" + credentials + b"\r\n"
    fields = b"Host: a\r\nX-A: \xff\r\nContent-Length: 4\r\n"
    yield b"POST /?%6Bey=a%3Db&access_token=&sig HTTP/1.1\r\n" + fields + b"\r\n\xff\xfe\x00a"


def examine(data: bytes) -> None:
    """Ask about the first request in ``data``, with and without a body that was read."""
    reading = our_request(data)
    if reading.head is None or reading.rest is None:
        return
    body = None
    if not reading.head.request.is_connect and (reading.body or len(data) % 2):
        digest = hashlib.sha256(reading.body).hexdigest()
        # What is judged may be decoded: it need not be what was received.
        content = reading.body[::-1] if len(data) % 3 == 0 else reading.body
        body = Body(chunks=(reading.body,), size=len(reading.body), sha256=digest, content=content)
    request = reading.head.request
    exchange = Exchange(
        id="cert_0000000000000001",
        route=Route.CONNECT if request.is_connect else Route.FORWARD,
        request=request,
        peer="127.0.0.1",
        peer_port=1,
        org_id="default",
        caller="sidecar.forward_proxy.egress",
        received_at=0.0,
        coverage=Coverage.DESTINATION if request.is_connect else Coverage.FULL,
        body=body,
    )
    log = LogLink(id="log_a", seq=1, prev=GENESIS) if len(data) % 2 else None
    asked_of = request_digest(exchange)
    asked = encode(exchange, digest=asked_of, timestamp=_TIME, policy_set="egress_v1", redactor=_REDACTOR, log=log)
    question = strict_json.read(asked)
    assert question["request_id"] == exchange.id
    assert question["context"] == {
        "coverage": exchange.coverage.value,
        "request": asked_of.to_dict(),
        "log": None if log is None else log.to_dict(),
    }
    action = question["proposed_action"]
    authority = request.authority
    assert (action["method"], action["scheme"]) == (request.method, request.scheme)
    assert (action["host"], action["port"]) == (authority.host, authority.port)
    _check_body(action, body)
    _check_path(action["path"], exchange)
    _check_fields(action["headers"], exchange)
    _read_by_the_decision_point(asked, action, exchange)


def _check_body(action: dict[str, Any], body: Body | None) -> None:
    if body is None:
        assert [action[name] for name in ("body", "body_encoding", "body_bytes", "body_sha256")] == [None] * 4
        return
    said = action["body"]
    back = said.encode() if action["body_encoding"] == "utf-8" else b64decode(said, validate=True)
    assert back == body.content, "another body than the one that is judged"
    assert (action["body_bytes"], action["body_sha256"]) == (body.size, body.sha256)


def _check_path(path: str | None, exchange: Exchange) -> None:
    request = exchange.request
    if request.is_connect:
        assert path is None
        return
    assert path is not None
    target = request.target.decode("ascii")
    before, _, query = target.partition("?")
    after, _, asked = path.partition("?")
    assert after == before, "another path"
    # Both ways of separating parameters, and every name that a form decoder would make of it.
    credentials = False
    for separator in "&;":
        for name, _value in parse_qsl(query, keep_blank_values=True, separator=separator, encoding="latin-1"):
            credentials = credentials or name.strip().lower() in _SECRET_PARAMETERS
        for name, value in parse_qsl(asked, keep_blank_values=False, separator=separator, encoding="latin-1"):
            if name.strip().lower() in _SECRET_PARAMETERS:
                assert _STAND_IN.match(value), "a credential in the query is sent"
    if not credentials:
        assert path == target, "a target without credentials is changed"


def _check_fields(said: list[list[str]], exchange: Exchange) -> None:
    fields = list(exchange.request.headers)
    assert len(said) == len(fields)
    stand_ins: dict[str, bytes] = {}
    for (name, value), (asked_name, asked) in zip(fields, said, strict=True):
        assert asked_name == name.decode()
        if asked_name in _SECRET_FIELDS:
            assert _STAND_IN.fullmatch(asked), "a credential in a field is sent"
            assert stand_ins.setdefault(asked, value) == value, "two credentials with one stand-in"
        else:
            assert asked == readable(value), "another value"


def _read_by_the_decision_point(asked: bytes, action: dict[str, Any], exchange: Exchange) -> None:
    theirs, ours = parse_question(asked).question, question_of(exchange)
    assert (theirs.id, theirs.route, theirs.method, theirs.scheme) == (ours.id, ours.route, ours.method, ours.scheme)
    assert (theirs.host, theirs.port, theirs.body) == (ours.host, ours.port, ours.body)
    assert theirs.path.decode() == (action["path"] or "")
    assert [name for name, _ in theirs.headers] == [name for name, _ in ours.headers]
