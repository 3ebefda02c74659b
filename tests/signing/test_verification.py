"""Offline verification: what an auditor's script sees."""

from __future__ import annotations

import hmac
import json
import subprocess
import sys
from collections import OrderedDict
from itertools import permutations
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eve_proxy.signing import public_key
from eve_proxy.signing.canonical import content_hash
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.private_key import AsymmetricSigner, Ed25519Signer, P256Signer
from eve_proxy.signing.seal import seal
from eve_proxy.signing.verification import keys_from, secret_from_environment, verify_certificate
from tests.fakes.journal import draft, link
from tests.fakes.keys import ed25519, p256
from tests.fakes.ports import SECRET
from tests.signing.test_secret import DOCUMENTS, PEM

CERTIFICATE = seal(draft(), link(), HmacSigner(SECRET))


def fresh() -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(CERTIFICATE.line)
    return fields


def test_good_certificate_in_each_form() -> None:
    """The header parsed, the header as text, and the journal line all verify."""
    line = CERTIFICATE.line
    for form in (fresh(), OrderedDict(fresh()), dict(reversed(fresh().items())), line, line.decode()):
        assert verify_certificate(form, SECRET)


def test_integral_numbers_may_have_come_back_as_floats() -> None:
    """A certificate that went through a store without integers (RFC 8785's own number model) still verifies."""
    fields = fresh()
    fields["request"]["port"] = 443.0
    assert verify_certificate(fields, SECRET)


@pytest.mark.parametrize(
    "keys", [SECRET, SECRET.decode(), [b"other", SECRET], ("other", SECRET.decode()), [PEM, SECRET]]
)
def test_keys_in_each_form(keys: Any) -> None:
    """A secret may be text or bytes, and one of several."""
    assert verify_certificate(fresh(), keys)


@pytest.mark.parametrize("keys", [b"other", "", b"", [], [None, 5], 5, {"k": SECRET}, object(), "\ud800", *DOCUMENTS])
def test_wrong_or_no_key(keys: Any) -> None:
    """A key that did not sign, or is none, verifies nothing."""
    assert not verify_certificate(fresh(), keys)


def paths(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict):
        return [path for key in value for path in paths(value[key], (*at, key))]
    return [at]


@pytest.mark.parametrize("path", paths(fresh()), ids=".".join)
@pytest.mark.parametrize("value", ["changed", None, 7, True, 1.5])
def test_every_field_is_covered(path: tuple[str, ...], value: object) -> None:
    """Change any value and the certificate no longer verifies."""
    fields = fresh()
    at = fields
    for key in path[:-1]:
        at = at[key]
    if at[path[-1]] is value:
        return
    at[path[-1]] = value
    assert not verify_certificate(fields, SECRET)


def test_algorithm_comes_from_the_key() -> None:
    """A certificate cannot choose how it is checked: signed with a public key as a secret, it is refused."""
    for algorithm in ("HMAC-SHA256", "Ed25519", "none"):
        fields = fresh() | {"algorithm": algorithm}
        fields["content_hash"] = content_hash(fields)
        fields["signature"] = "hmac-" + hmac.new(PEM, fields["content_hash"].encode(), "sha256").hexdigest()
        assert not verify_certificate(fields, PEM)
        assert not verify_certificate(fields, [PEM, SECRET])
        # Even the right secret does not sign for another algorithm.
        fields["signature"] = "hmac-" + hmac.new(SECRET, fields["content_hash"].encode(), "sha256").hexdigest()
        assert verify_certificate(fields, SECRET) is (algorithm == "HMAC-SHA256")


ASYMMETRIC = [Ed25519Signer(ed25519()), P256Signer(p256())]


@pytest.mark.parametrize("signer", ASYMMETRIC, ids=["ed25519", "p256"])
def test_public_keys_in_each_form(signer: AsymmetricSigner) -> None:
    """Who has the PEM, the JWK or the JWKS can verify; who has another key, or a secret, cannot."""
    fields = seal(draft(), link(), signer).to_dict()
    pem, document = signer.pem(), jwks([signer])
    for key in (pem, pem.decode(), document, json.dumps(signer.jwk()), [SECRET, pem], (b"x", document.decode())):
        assert verify_certificate(fields, key)
    for key in (SECRET, Ed25519Signer(ed25519(2)).pem(), P256Signer(p256(2)).pem(), []):
        assert not verify_certificate(fields, key)


@pytest.mark.parametrize("signer", ASYMMETRIC, ids=["ed25519", "p256"])
@pytest.mark.parametrize(
    "algorithm", ["HMAC-SHA256", "none", "", "Ed25519", "ECDSA-P256-SHA256", "EdDSA", "hmac-sha256"]
)
def test_public_keys_are_never_secrets(signer: AsymmetricSigner, algorithm: str) -> None:
    """Who holds only what is published can sign nothing, not with its text as a secret, under whatever name."""
    for document in (signer.pem(), signer.pem().strip(), jwks([signer]), jwks([signer]).strip()):
        fields = seal(draft(), link(), signer).to_dict() | {"algorithm": algorithm}
        fields["content_hash"] = content_hash(fields)
        digest = hmac.new(document, fields["content_hash"].encode(), "sha256").hexdigest()
        for signature in ("hmac-" + digest, "ed25519-" + digest, "ecdsa-p256-" + digest, "", "none", "none-"):
            assert not verify_certificate(fields | {"signature": signature}, document)
            assert not verify_certificate(fields | {"signature": signature}, [document, signer.pem(), SECRET])


def test_key_of_another_type() -> None:
    """A signature holds only under the algorithm of its own key's type, also for somebody with keys of each type."""
    keys = [signer.pem() for signer in ASYMMETRIC] + [SECRET]
    for signer, other in permutations([*ASYMMETRIC, HmacSigner(SECRET)], 2):
        fields = seal(draft(), link(), signer).to_dict()
        assert verify_certificate(fields, keys)
        for changes in ({"algorithm": other.algorithm}, {"key_id": other.key_id}):
            forged = fields | changes
            forged["content_hash"] = content_hash(forged)
            forged["signature"] = signer.sign(forged["content_hash"])
            assert not verify_certificate(forged, keys)


def test_two_keys_with_one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two different keys go by one id nothing verifies: it would be left to chance which one was meant."""
    signer = ASYMMETRIC[0]
    fields = seal(draft(), link(), signer).to_dict()
    assert verify_certificate(fields, [signer.pem(), jwks([signer])])
    monkeypatch.setattr(public_key, "key_id_of", lambda _: signer.key_id)
    assert not verify_certificate(fields, [signer.pem(), P256Signer(p256()).pem()])


RECURSIVE: dict[str, Any] = {}
RECURSIVE["a"] = RECURSIVE


@pytest.mark.parametrize(
    "cert",
    [
        None,
        0,
        True,
        b"",
        "",
        "\ud800",
        [],
        {},
        object(),
        RECURSIVE,
        fresh() | {"record": RECURSIVE},
        fresh() | {"latency_ms": float("nan")},
        fresh() | {"latency_ms": 10**400},
        fresh() | {"reason": "\ud800"},
        fresh() | {"signature": "\ud800"},
        fresh() | {"content_hash": "é"},
        fresh() | {"record": {"a": 2**70}},
        fresh() | {"reason": "x" * 10_000_000},
        {number: number for number in range(24)},
        CERTIFICATE.line + b"\n",
        b" " + CERTIFICATE.line,
        b"[" * 1_000_000,
        type("Bad", (), {"__eq__": None, "__hash__": None})(),
    ],
    ids=lambda cert: type(cert).__name__,
)
def test_never_raises_and_says_false(cert: Any) -> None:
    """Whatever is handed in, the answer is False and not an exception."""
    assert verify_certificate(cert, SECRET) is False


def refuses(*_: Any) -> Any:
    raise RuntimeError


class Text(str):
    """A str all the same, and so for the other two."""

    encode = __len__ = __eq__ = __str__ = refuses
    __hash__ = str.__hash__


class Octets(bytes):
    __len__ = __bool__ = __eq__ = strip = refuses
    __hash__ = bytes.__hash__


class Keys(list[bytes]):
    __len__ = __iter__ = refuses


class Silent:
    __class__ = property(refuses)  # type: ignore[assignment]


@pytest.mark.parametrize("claimed", [dict, str, bytes, list, tuple])
def test_test_doubles_are_no_certificates_and_no_keys(claimed: type) -> None:
    """What only says that it is a dict, a text or a list makes nothing verify, and nothing raise."""
    double = mock.Mock(spec=claimed)
    assert isinstance(double, claimed)
    for odd in (double, Silent()):
        assert verify_certificate(odd, SECRET) is False
        assert verify_certificate(fresh() | {"record": odd}, SECRET) is False
        assert verify_certificate(fresh(), odd) is False
        assert verify_certificate(fresh(), [odd]) is False
        assert verify_certificate(fresh(), [odd, SECRET]) is True


def test_subclasses_are_read_as_what_they_are() -> None:
    """A text, bytes or a list of a class of its own serve as the plain ones do, whatever the class overrides."""
    line = CERTIFICATE.line
    assert verify_certificate(Octets(line), Octets(SECRET)) is True
    assert verify_certificate(Text(line.decode()), Text(SECRET.decode())) is True
    assert verify_certificate(fresh(), Keys([SECRET])) is True
    assert verify_certificate(fresh(), Keys()) is False


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=10,
)


@given(ANYTHING, st.sampled_from(sorted(fresh())), ANYTHING)
@example("\ud800", "signature", [])
def test_never_raises_on_any_value_anywhere(value: Any, name: str, key: Any) -> None:
    """No value in no field, and nothing given as key, makes the verifier raise."""
    assert verify_certificate(value, SECRET) is False
    assert verify_certificate(fresh() | {name: value}, key) in (True, False)
    assert verify_certificate(fresh(), key) is False


@given(st.integers(0, len(CERTIFICATE.line) - 1), st.integers(0, 255))
def test_any_single_byte(position: int, byte: int) -> None:
    """Change any one byte of the line and it no longer verifies."""
    line = bytearray(CERTIFICATE.line)
    unchanged = line[position] == byte
    line[position] = byte
    assert verify_certificate(bytes(line), SECRET) is unchanged


def test_default_key_is_the_guides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a key, JWT_SECRET_KEY or the file of JWT_SECRET_KEY_FILE is used, as it is at the call."""
    monkeypatch.delenv("JWT_SECRET_KEY", raising=False)
    monkeypatch.delenv("JWT_SECRET_KEY_FILE", raising=False)
    assert not verify_certificate(fresh())
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET.decode())
    assert verify_certificate(fresh())
    monkeypatch.setenv("JWT_SECRET_KEY", "wrong")
    assert not verify_certificate(fresh())
    monkeypatch.delenv("JWT_SECRET_KEY")
    (tmp_path / "key").write_bytes(SECRET + b"\n")
    monkeypatch.setenv("JWT_SECRET_KEY_FILE", str(tmp_path / "key"))
    assert verify_certificate(fresh())
    monkeypatch.setenv("JWT_SECRET_KEY_FILE", str(tmp_path / "absent"))
    assert not verify_certificate(fresh())


@pytest.mark.parametrize(
    "environ", [{}, {"JWT_SECRET_KEY": ""}, {"JWT_SECRET_KEY": "\ud800"}, {"JWT_SECRET_KEY_FILE": "\0"}]
)
def test_environment_without_a_key(environ: dict[str, str]) -> None:
    """A missing, empty or impossible variable is no key."""
    assert secret_from_environment(environ) is None
    assert keys_from(None, environ) == ()


def test_imports_neither_twisted_nor_zope() -> None:
    """An auditor's script needs neither Twisted nor zope.interface installed."""
    script = (
        "import sys; sys.modules['twisted'] = sys.modules['zope'] = None\n"
        "from eve_proxy.fail_closed import verify_certificate\n"
        "import eve_proxy.signing.journal_walk, eve_proxy.cli.verify\n"
        "assert not [name for name in sys.modules if name.startswith(('twisted.', 'zope.'))]\n"
        f"print(verify_certificate({CERTIFICATE.line!r}, {SECRET!r}))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (run.stdout, run.stderr) == ("True\n", "")
