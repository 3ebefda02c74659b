"""Questions, from an exchange and from the wire."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.headers import Headers
from eve_proxy.pdp.question import BadQuestion, parse_question, question_of
from tests.fakes.ports import body_of, exchange_of, request_of

ACTION = {
    "type": "network.egress", "route": "forward", "method": "POST", "scheme": "https", "host": "api.example.com",
    "port": 443, "path": "/v1", "headers": [["content-type", "text/Plain"]], "body": "h\u00e9",
    "body_encoding": "utf-8", "body_bytes": 3, "body_sha256": "00",
}  # fmt: skip
DOCUMENT: dict[str, Any] = {"request_id": "cert_1", "policy_set": "egress_v1", "proposed_action": ACTION}


def document(**changes: Any) -> bytes:
    return orjson.dumps({**DOCUMENT, "proposed_action": {**ACTION, **changes}})


def test_an_exchange_and_its_document_ask_the_same() -> None:
    """In-process and over HTTP a request is judged alike."""
    request = request_of("api.example.com", target=b"/v1", headers=Headers.of([(b"content-type", b"text/Plain")]))
    exchange = exchange_of(request, body=body_of("hé".encode()))
    mine = question_of(exchange)
    theirs = parse_question(orjson.dumps({**DOCUMENT, "request_id": exchange.id, "proposed_action": {
        **ACTION, "scheme": request.scheme, "method": request.method, "port": request.authority.port,
    }})).question  # fmt: skip
    assert mine == theirs
    assert mine.content_type == b"text/plain"


def test_a_tunnel_and_an_unread_body_have_none() -> None:
    """What was not read is judged as empty."""
    question = parse_question(document(path=None, body=None, body_encoding=None, headers=None)).question
    assert (question.path, question.body, question.content_type) == (b"", b"", b"")
    assert question_of(exchange_of(body=None)).body == b""


def test_base64_bodies_are_decoded() -> None:
    """Bytes that are not text arrive unharmed."""
    text = base64.b64encode(b"\x00\xff").decode()
    assert parse_question(document(body=text, body_encoding="base64")).question.body == b"\x00\xff"


@pytest.mark.parametrize("host", ["API.example.com.", "api.EXAMPLE.com"])
def test_hosts_are_canonical(host: str) -> None:
    """Rules cannot be dodged by spelling, whoever asks."""
    assert parse_question(document(host=host)).question.host == "api.example.com"


def test_ipv6_hosts_need_no_brackets() -> None:
    """The contract's host is bare."""
    assert parse_question(document(host="2001:DB8::1")).question.host == "2001:db8::1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "file.write"}, "proposed_action.type must be network.egress"),
        ({"type": None}, "proposed_action.type is missing"),
        ({"route": "tunnel"}, "proposed_action.route must be one of forward"),
        ({"method": ""}, "proposed_action.method must have 1 to 32 characters"),
        ({"method": 5}, "proposed_action.method has the wrong type"),
        ({"host": "a b"}, "proposed_action.host is not a host"),
        ({"port": 0}, "proposed_action.port must be 1 to 65535"),
        ({"port": True}, "proposed_action.port has the wrong type"),
        ({"port": "443"}, "proposed_action.port has the wrong type"),
        ({"path": 1}, "proposed_action.path has the wrong type"),
        ({"headers": {"a": "b"}}, "proposed_action.headers has the wrong type"),
        ({"headers": [["a"]]}, "must be a list of"),
        ({"headers": [["a", 1]]}, "must be a list of"),
        ({"headers": [["a", "b"]] * 300}, "more than 256 fields"),
        ({"body_encoding": "utf-7"}, "body_encoding must be utf-8 or base64"),
        ({"body_encoding": None}, "body_encoding must be utf-8 or base64"),
        ({"body": None, "body_encoding": "utf-7"}, "body_encoding must be utf-8 or base64"),
        ({"body_bytes": -1}, "proposed_action.body_bytes must not be negative"),
        ({"body_bytes": "3"}, "proposed_action.body_bytes has the wrong type"),
        ({"body_sha256": 0}, "proposed_action.body_sha256 has the wrong type"),
        ({"body": "%", "body_encoding": "base64"}, "body is not base64"),
        ({"body": "\u00e9", "body_encoding": "base64"}, "body is not base64"),
    ],
)
def test_a_question_that_breaks_the_contract_is_refused(changes: dict[str, Any], said: str) -> None:
    """A client with a defect learns which member is wrong, and nothing is decided."""
    with pytest.raises(BadQuestion, match=said):
        parse_question(document(**changes))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"timestamp": 1}, "timestamp has the wrong type"),
        ({"tenant_id": []}, "tenant_id has the wrong type"),
        ({"policy_set": 1}, "policy_set has the wrong type"),
        ({"user": "me"}, "user has the wrong type"),
        ({"user": {"id": 1}}, "user.id has the wrong type"),
        ({"user": {"role": False}}, "user.role has the wrong type"),
        ({"context": []}, "context has the wrong type"),
        ({"context": {"coverage": "most"}}, "context.coverage must be one of full, destination, handshake, none"),
        ({"context": {"log": "x"}}, "context.log has the wrong type"),
        ({"context": {"log": {"seq": -1}}}, "context.log.seq must not be negative"),
        ({"context": {"log": {"seq": "1"}}}, "context.log.seq has the wrong type"),
        ({"context": {"log": {"id": 1}}}, "context.log.id has the wrong type"),
        ({"context": {"log": {"prev": 1}}}, "context.log.prev has the wrong type"),
    ],
)
def test_a_description_that_breaks_the_contract_is_refused(members: dict[str, Any], said: str) -> None:
    """What no rule reads is part of the contract all the same: a client with a defect learns of it."""
    with pytest.raises(BadQuestion, match=re.escape(said)):
        parse_question(orjson.dumps({**DOCUMENT, **members}))


def test_what_is_not_known_is_null_or_absent() -> None:
    """A journal that does not exist yet, a coverage nobody stated, and a member of a later version are no faults."""
    context = {"coverage": None, "log": None, "later": 1}
    asked = parse_question(orjson.dumps({**DOCUMENT, "user": None, "context": context, "later": [1]}))
    assert asked.question.host == "api.example.com"


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"7", b"{", b"{}", b'{"request_id": "x"}', b'{"proposed_action": 1, "request_id": "x"}', b"\xff"],
)
def test_documents_that_are_no_questions_are_refused(text: bytes) -> None:
    """Neither other JSON nor other bytes are questions."""
    with pytest.raises(BadQuestion):
        parse_question(text)


@pytest.mark.parametrize(
    ("known", "twice"),
    [
        ('"host"', '"host":"elsewhere.example","host"'),
        ('"body"', '"b\\u006fdy":"hi","body"'),
        ('"proposed_action"', '"proposed_action":{},"proposed_action"'),
        ('"request_id"', '"later":{"a":1,"a":1},"request_id"'),
    ],
)
def test_a_name_that_occurs_twice_is_refused(known: str, twice: str) -> None:
    """Who sends two hosts, or two bodies, has asked two questions: neither is answered."""
    text = document().decode().replace(known, twice, 1)
    assert orjson.loads(text)["request_id"] == "cert_1"
    with pytest.raises(BadQuestion, match="not strict JSON: a name occurs twice"):
        parse_question(text.encode())


@pytest.mark.parametrize(
    "changes",
    [{"body": "x\ud83d"}, {"path": "/\ud83d"}, {"method": "\ud83d"}, {"headers": [["a", "\ud83d"]]}],
)
def test_half_of_a_surrogate_pair_is_refused(changes: dict[str, Any]) -> None:
    """No bytes say that: judging something like it would be judging another request."""
    text = json.dumps({**DOCUMENT, "proposed_action": {**ACTION, **changes}})
    with pytest.raises(BadQuestion, match="holds half of a surrogate pair"):
        parse_question(text.encode())


@given(st.recursive(st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ACTION, *DOCUMENT]), inner, max_size=5)
)))  # fmt: skip
def test_any_json_is_a_question_or_refused(value: Any) -> None:
    """No document makes the server fail in another way."""
    for candidate in (value, {**DOCUMENT, "proposed_action": value}):
        try:
            assert parse_question(orjson.dumps(candidate)).question.id
        except BadQuestion:
            pass


def test_every_content_type_counts() -> None:
    """A second Content-Type, which some origins prefer, does not hide how the body will be read."""
    fields = Headers.of([(b"Content-Type", b"text/plain"), (b"content-type", b"Application/X-WWW-Form-URLencoded")])
    question = question_of(exchange_of(request_of(headers=fields)))
    assert question.content_type == b"text/plain, application/x-www-form-urlencoded"
