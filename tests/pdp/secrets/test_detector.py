"""Secrets that leave, on whole questions."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.exchange import Route
from eve_proxy.model.headers import Headers
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.secrets.detector import KnownCredentials, NamedSecrets

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
DRAW = random.Random(11)


def ask(body: bytes, kind: bytes = b"application/json", host: str = "api.acme.dev", path: bytes = b"/v1") -> Question:
    return Question(
        id="cert_0", route=Route.FORWARD, method="POST", scheme="https", host=host, port=443, path=path,
        headers=Headers.of([(b"content-type", kind)]), body=body,
    )  # fmt: skip


def drawn(size: int, letters: str = LETTERS) -> str:
    return "".join(DRAW.choices(letters, k=size))


HEX = "0123456789abcdef"
KEY = b"AKIA" + b"QZ3WJ7KX5VNB2MHT"
RANDOM = b"q8Zr2Lk9Xw4Tn7Bv3Hs6Yp"
known = KnownCredentials().found_in

# By issuer, made here: nothing that looks real stands in a file.
MADE = {
    "aws secret": f"AWS_SECRET_ACCESS_KEY={drawn(40)}",
    "github": f"ghp_{drawn(36)}",
    "github fine": f"github_pat_{drawn(22)}_{drawn(59)}",
    "gitlab": f"glpat-{drawn(20)}",
    "slack": f"xoxb-{drawn(12, '0123456789')}-{drawn(12, '0123456789')}-{drawn(24)}",
    "slack hook": f"https://hooks.slack.com/services/T0{drawn(9, LETTERS[:26])}/B0{drawn(9, LETTERS[:26])}/{drawn(24)}",
    "stripe": f"sk_live_{drawn(24)}",
    "openai": f"sk-proj-{drawn(74)}T3BlbkFJ{drawn(74)}",
    "anthropic": f"sk-ant-api03-{drawn(93)}AA",
    "google": f"AIza{drawn(35)}",
    "azure": f"AccountKey={drawn(86)}==",
    "azure client": f"{drawn(3)}8Q~{drawn(34)}",
    "npm": f"npm_{drawn(36)}",
    "pypi": f"pypi-AgEIcHlwaS5vcmc{drawn(120)}",
    "hugging face": f"hf_{drawn(34, LETTERS[:52])}",
    "databricks": f"dapi{drawn(32, HEX)}",
    "private key": f"-----BEGIN EC PRIVATE KEY-----\n{drawn(64)}\n{drawn(40)}\n-----END EC PRIVATE KEY-----",
    "encrypted key": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
    f"DEK-Info: AES-128-CBC,{drawn(32, HEX)}\n\n{drawn(64)}",
    "web key": f'{{"kty": "EC", "crv": "P-256", "d": "{drawn(43)}"}}',
    "database": f"postgresql+asyncpg://app:{drawn(16)}@db-1.prod.acme.dev:5432/app",
}


@pytest.mark.parametrize("issuer", MADE)
def test_each_format_is_seen_in_text_and_in_json(issuer: str) -> None:
    """A pasted credential does not leave, whoever issued it."""
    assert known(ask(f"it says {MADE[issuer]} and fails".encode(), b"text/plain"))
    escaped = MADE[issuer].replace('"', '\\"').replace("\n", "\\n")
    assert known(ask(f'{{"text": "it says {escaped} and fails"}}'.encode()))


def test_a_known_credential_does_not_leave() -> None:
    """A key in body or URL is vetoed, except on its way home and in an example."""
    assert known(ask(b'{"env": "' + KEY + b'"}'))
    assert known(ask(b"", path=b"/log?x=" + KEY))
    assert not known(ask(b'{"env": "' + KEY + b'"}', host="sts.amazonaws.com"))
    assert known(ask(b'{"env": "' + KEY + b'"}', host="notamazonaws.com"))
    assert not known(ask(b'{"env": "AKIAIOSFODNN7EXAMPLE"}'))


@pytest.mark.parametrize(
    "text",
    [
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "sk-your-key-here", "sk_live_0123456789012345678901234",
        "postgres://user:password@prod.acme.dev/x", "postgres://app:Jx8kQ2mZ7w@localhost:5432/x",
        "xoxb-123456789012-abcdefghijklmnop",
        "-----BEGIN RSA PRIVATE KEY-----\n(your key here)", '{"d": "' + "A" * 43 + '"}', "glpat-xxxxxxxxxxxxxxxxxxxx",
    ],
)  # fmt: skip
def test_examples_of_documentation_pass(text: str) -> None:
    """Asking how to use a key is no leak."""
    assert not known(ask(text.encode(), b"text/plain"))


def test_a_checksum_proves_what_looks_like_an_example() -> None:
    """A real token stays one, however it happens to look."""
    rest = b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    number, digits = zlib.crc32(rest), []
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits.append("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[digit])
    checksum = "".join(reversed(digits)).encode()
    assert known(ask(b"ghp_" + rest + checksum, b"text/plain"))
    assert not known(ask(b"ghp_" + rest + checksum[::-1], b"text/plain"))


def test_a_random_value_with_a_telling_name_is_seen() -> None:
    """Name and randomness are both needed."""
    named = NamedSecrets().found_in
    assert named(ask(b'{"client_secret": "' + RANDOM + b'"}'))
    assert not named(ask(b'{"digest": "' + RANDOM + b'"}'))
    assert not named(ask(b'{"client_secret": "the-name-of-a-secret-store"}'))


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    """Nothing a client sends makes a detector fail."""
    assert known(ask(body)) in (True, False)
    assert NamedSecrets().found_in(ask(b"secret=" + body)) in (True, False)
