"""Which changes a governor may demand."""

from __future__ import annotations

from typing import Any

import pytest

from eve_proxy.governance.modifications import MOST, obligations
from eve_proxy.governance.schema import NotTheContract
from eve_proxy.model.verdict import Modification


def change(field: Any, value: Any = "x") -> dict[str, Any]:
    return {"field": field, "modified_value": value}


def test_body_and_headers_may_be_changed() -> None:
    """A governor that masks a body and drops a header's content gets both."""
    assert obligations([change("body", "a\r\nb\x00é\U0001f512"), change("headers.X-Note", "caf\xe9\tx")]) == (
        Modification(field="body", value="a\r\nb\x00é\U0001f512"),
        Modification(field="headers.x-note", value="caf\xe9\tx"),
    )


@pytest.mark.parametrize(
    "field",
    [
        None, "", "Body", "body.x", "path", "host", "url", "method", "headers", "headers.", "header.x", "Headers.x",
        "headers.x y", "headers.x:y", "headers.x\r\n", "headers.é", "headers.\u212a",
        *(
            f"headers.{name}"
            for name in (
                "Host", "Content-Length", "content-encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "TE",
                "Trailer", "Upgrade", "Expect", "HTTP2-Settings", "Via", "Max-Forwards", "Proxy-Authorization",
                "proxy-connection", "X-EVE-Verdict", "x-eve-decision-cert", "Sec-WebSocket-Key",
            )
        ),
    ],
)  # fmt: skip
def test_nothing_else_may(field: Any) -> None:
    """A governor cannot redirect a request, change its framing or speak in our name."""
    assert obligations([change("body"), change(field)]) == ()


@pytest.mark.parametrize("value", [None, "a\rb", "a\nb", "a\x00b", "\x1b", "a\x7f", "x" * 8193, "\u20ac", "\ud800"])
def test_header_values_cannot_break_the_head(value: Any) -> None:
    """No value smuggles a second field or request to the origin."""
    assert obligations([change("headers.x-note", value)]) == ()


def test_a_body_without_bytes_is_refused() -> None:
    """Half a surrogate pair is not text that could be sent."""
    assert obligations([change("body", "\ud800")]) == ()


def test_the_same_field_twice_is_refused() -> None:
    """Which of two values counts is not ours to guess."""
    assert obligations([change("body"), change("body")]) == ()
    assert obligations([change("headers.x-a"), change("headers.X-A")]) == ()


def test_there_is_a_bound() -> None:
    """Eight changes at most."""
    changes = [change(f"headers.x-{number}") for number in range(MOST + 1)]
    assert len(obligations(changes[:MOST])) == MOST == 8
    assert obligations(changes) == ()


@pytest.mark.parametrize("broken", [change(1), change("body", 1), {**change("body"), "reason": 1}])
def test_another_type_is_not_the_contract(broken: dict[str, Any]) -> None:
    """A malformed modification is a malformed answer."""
    with pytest.raises(NotTheContract):
        obligations([broken])
