"""Secrets that leave, on whole questions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.exchange import Route
from eve_proxy.model.headers import Headers
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.secrets.detector import KnownCredentials, NamedSecrets, entropy


def ask(
    body: bytes, kind: bytes = b"application/json", host: str = "api.example.com", path: bytes = b"/v1"
) -> Question:
    return Question(
        id="cert_0", route=Route.FORWARD, method="POST", scheme="https", host=host, port=443, path=path,
        headers=Headers.of([(b"content-type", kind)]), body=body,
    )  # fmt: skip


KEY = b"AKIA" + b"QZ3WJ7KX5VNB2MHT"
RANDOM = b"q8Zr2Lk9Xw4Tn7Bv3Hs6Yp"


def test_a_known_credential_does_not_leave() -> None:
    """A key in body or URL is vetoed, except on its way home and in an example."""
    known = KnownCredentials().found_in
    assert known(ask(b'{"env": "' + KEY + b'"}'))
    assert known(ask(b"", path=b"/log?x=" + KEY))
    assert not known(ask(b'{"env": "' + KEY + b'"}', host="sts.amazonaws.com"))
    assert not known(ask(b'{"env": "AKIAIOSFODNN7EXAMPLE"}'))


def test_a_random_value_with_a_telling_name_is_seen() -> None:
    """Name and randomness are both needed."""
    named = NamedSecrets().found_in
    assert named(ask(b'{"client_secret": "' + RANDOM + b'"}'))
    assert not named(ask(b'{"digest": "' + RANDOM + b'"}'))
    assert not named(ask(b'{"client_secret": "the-name-of-a-secret-store"}'))


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    """Nothing a client sends makes a detector fail."""
    assert KnownCredentials().found_in(ask(body)) in (True, False)
    assert NamedSecrets().found_in(ask(b"secret=" + body)) in (True, False)
    assert entropy(body) >= 0
