"""MODIFIED, carried out: what leaves is changed, what the certificate says of it is digests."""

from __future__ import annotations

import hashlib

import pytest

from eve_proxy.decision.obligations import NotUnderstood, fulfil
from eve_proxy.model.exchange import WHOLE_REQUEST, Coverage
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Modification
from tests.fakes.ports import body_of, exchange_of, request_of


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_body_is_replaced() -> None:
    """The origin gets the decision service's text in UTF-8, with nothing left that described the old body."""
    fields = [
        (b"Content-Type", b"text/plain"),
        (b"Content-Encoding", b"gzip"),
        (b"Content-MD5", b"x"),
        (b"Content-Digest", b"x"),
        (b"Repr-Digest", b"x"),
        (b"Digest", b"x"),
    ]
    exchange = exchange_of(request_of(headers=Headers.of(fields)), body=body_of(b"my password is hunter2"))
    changed, said = fulfil(exchange, (Modification(field="body", value="my päss"),))
    new = "my päss".encode()
    assert changed.body is not None
    assert (b"".join(changed.body.chunks), changed.body.content, changed.body.size) == (new, new, len(new))
    assert changed.body.sha256 == sha256(new)
    assert list(changed.request.headers) == [(b"content-type", b"text/plain")]
    assert said == {
        "modified": [
            {"field": "body", "before_sha256": sha256(b"my password is hunter2"), "after_sha256": sha256(new)},
        ]
    }


def test_the_exchange_as_judged_is_untouched() -> None:
    """The certificate is about what was judged: carrying out an obligation changes a copy."""
    exchange = exchange_of(body=body_of(b"old"))
    fulfil(exchange, (Modification(field="body", value="new"), Modification(field="headers.x-a", value="1")))
    assert exchange == exchange_of(body=body_of(b"old"))


@pytest.mark.parametrize("body", [None, b""])
def test_a_body_where_there_was_none(body: bytes | None) -> None:
    """Nothing has no digest: before is null, never the digest of nothing."""
    exchange = exchange_of(body=None if body is None else body_of(body))
    changed, said = fulfil(exchange, (Modification(field="body", value="new"),))
    assert changed.body is not None
    assert changed.body.content == b"new"
    assert said["modified"][0]["before_sha256"] is None


def test_an_emptied_body() -> None:
    """An empty replacement leaves no chunk to send."""
    changed, _ = fulfil(exchange_of(body=body_of(b"old")), (Modification(field="body", value=""),))
    assert changed.body is not None
    assert (changed.body.chunks, changed.body.size) == ((), 0)


def test_a_header_is_replaced_in_every_occurrence() -> None:
    """The new value is the only one: no earlier one survives beside it."""
    headers = Headers.of([(b"X-Tag", b"one"), (b"Accept", b"*/*"), (b"x-tag", b"two")])
    changed, said = fulfil(
        exchange_of(request_of(headers=headers)), (Modification(field="headers.X-Tag", value="\xe9t\xe9"),)
    )
    assert changed.request.headers.get_all(b"x-tag") == [b"\xe9t\xe9"]
    assert changed.request.headers.get(b"accept") == b"*/*"
    (change,) = said["modified"]
    assert change == {
        "field": "headers.X-Tag", "before_sha256": sha256(b"one"), "after_sha256": sha256(b"\xe9t\xe9"),
    }  # fmt: skip


def test_a_header_that_was_not_there() -> None:
    """It is added, and before is null."""
    changed, said = fulfil(exchange_of(), (Modification(field="headers.X-New", value="1"),))
    assert changed.request.headers.get(b"x-new") == b"1"
    assert said["modified"][0]["before_sha256"] is None


def test_a_header_that_was_empty() -> None:
    """An empty value was there: its digest is that of nothing, not null."""
    exchange = exchange_of(request_of(headers=Headers.of([(b"X-Empty", b"")])))
    _, said = fulfil(exchange, (Modification(field="headers.X-Empty", value="1"),))
    assert said["modified"][0]["before_sha256"] == sha256(b"")


def test_several_are_carried_out_in_order() -> None:
    """Each is recorded; the second sees what the first has done."""
    obligations = (
        Modification(field="body", value="one"),
        Modification(field="headers.X-A", value="1"),
        Modification(field="body", value="two"),
    )
    changed, said = fulfil(exchange_of(body=body_of(b"old")), obligations)
    assert changed.body is not None
    assert changed.body.content == b"two"
    assert [change["field"] for change in said["modified"]] == ["body", "headers.X-A", "body"]
    assert said["modified"][2]["before_sha256"] == sha256(b"one")


@pytest.mark.parametrize("field", ["", "path", "method", "Body", "header.X-A", "headers", "url", "body.text"])
def test_a_field_that_nobody_knows(field: str) -> None:
    """What is not understood is not permitted."""
    with pytest.raises(NotUnderstood):
        fulfil(exchange_of(body=body_of(b"old")), (Modification(field=field, value="x"),))


def test_one_that_is_not_understood_spoils_all() -> None:
    """A half-modified request must not leave."""
    obligations = (Modification(field="body", value="new"), Modification(field="path", value="/"))
    with pytest.raises(NotUnderstood):
        fulfil(exchange_of(body=body_of(b"old")), obligations)


def test_an_unverified_address_changes_nothing_about_the_request() -> None:
    """A request whose name a parent proxy resolves was inspected as any other, and can be modified."""
    changed, _ = fulfil(
        exchange_of(coverage=Coverage.FULL_UNVERIFIED_ADDRESS), (Modification(field="headers.X-A", value="x"),)
    )
    assert changed.request.headers.get(b"x-a") == b"x"


@pytest.mark.parametrize("coverage", [coverage for coverage in Coverage if coverage not in WHOLE_REQUEST])
@pytest.mark.parametrize("field", ["body", "headers.X-A"])
def test_what_was_not_fully_inspected(coverage: Coverage, field: str) -> None:
    """A tunnel or a handshake has nothing of its own that could be changed."""
    with pytest.raises(NotUnderstood):
        fulfil(exchange_of(coverage=coverage), (Modification(field=field, value="x"),))


@pytest.mark.parametrize("field", ["headers.X-\u00e4", "headers.X-A"])
def test_text_that_no_header_can_hold(field: str) -> None:
    """A name outside ASCII or a value outside Latin-1 is an error that the pipeline turns into a block."""
    with pytest.raises(UnicodeError):
        fulfil(exchange_of(), (Modification(field=field, value="\u2713"),))
