"""What a certificate says of its request: digests, and null for what is unknown."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from eve_proxy.model.digest import request_digest
from tests.fakes.ports import body_of, exchange_of, request_of

EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(("body", "expected"), [(None, (None, None)), (body_of(b""), (None, 0))])
def test_unknown_is_null_and_never_the_digest_of_nothing(body: Any, expected: tuple[Any, Any]) -> None:
    """An unread body and an empty one can be told apart; neither has a digest."""
    digest = request_digest(exchange_of(body=body))
    assert (digest.body_sha256, digest.body_bytes) == expected
    assert digest.body_sha256 != EMPTY


def test_the_clients_request_id_is_kept() -> None:
    """Somebody who has a client's log can find the decision."""
    digest = request_digest(exchange_of(request_of(request_id="find-me")))
    assert digest.request_id == "find-me"


def test_a_long_method_is_cut() -> None:
    """A method may be any token; the certificate keeps 32 characters and shows the cut."""
    assert request_digest(exchange_of(request_of(method="M" * 100))).method == "M" * 31 + "…"
