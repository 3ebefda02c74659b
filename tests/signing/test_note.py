"""Signed notes: what Go's implementation publishes verifies here, and what is not a note is refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.interfaces import ISigner
from eve_proxy.signing.checkpoint_signing import sign_note
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.note import (
    NotANote,
    NotSigned,
    is_key_name,
    key_hash,
    parse_note,
    signer_of,
    verifier_key,
)
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from eve_proxy.signing.public_key import Ed25519Public
from tests.fakes.keys import ed25519, p256
from tests.fakes.ports import SECRET

SIGNERS: dict[str, ISigner] = {
    "ed25519": Ed25519Signer(ed25519()),
    "p256": P256Signer(p256()),
    "hmac": HmacSigner(SECRET),
}
NAME = "eve-proxy/log_0123456789abcdef"
TEXT = f"{NAME}\n7\ncm9vdA==\n"

# The example of the documentation of golang.org/x/mod/sumdb/note.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()


def test_published_note() -> None:
    """A note that Go signed verifies, and its key is named as Go names it."""
    name, _, encoded = PUBLISHED_KEY.split("+", 2)
    key = Ed25519Public(Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:]))
    assert verifier_key(name, key) == PUBLISHED_KEY
    note = parse_note(PUBLISHED)
    assert signer_of(note, name, [key]) is key
    assert note.to_bytes() == PUBLISHED
    altered = parse_note(PUBLISHED.replace(b"cryptography", b"a blockchain"))
    with pytest.raises(NotSigned) as refused:
        signer_of(altered, name, [key])
    assert refused.value.forged


@pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS)
def test_round_trip(signer: ISigner) -> None:
    """A note is read back as it was written and verifies with its own key only."""
    written = sign_note(TEXT, NAME, signer).to_bytes()
    note = parse_note(written)
    assert (note.text, note.to_bytes()) == (TEXT, written)
    assert signer_of(note, NAME, [*SIGNERS.values()]) is signer
    others = [other for other in SIGNERS.values() if other is not signer]
    with pytest.raises(NotSigned) as refused:
        signer_of(note, NAME, others)
    assert not refused.value.forged
    with pytest.raises(NotSigned):
        signer_of(note, "eve-proxy/log_other", [signer])


@pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS)
def test_any_other_text_is_forged(signer: ISigner) -> None:
    """One digit of the size, and the trusted key's signature no longer holds."""
    note = sign_note(TEXT, NAME, signer).to_bytes().replace(b"\n7\n", b"\n8\n")
    with pytest.raises(NotSigned) as refused:
        signer_of(parse_note(note), NAME, [signer])
    assert refused.value.forged


def test_signatures_of_strangers_are_passed_over() -> None:
    """Witnesses may add their lines; they neither help nor harm."""
    ours, theirs = SIGNERS["ed25519"], Ed25519Signer(ed25519(2))
    note = sign_note(TEXT, NAME, ours).to_bytes()
    cosigned = parse_note(note + sign_note(TEXT, "witness.example", theirs).to_bytes().rpartition(b"\n\n")[2])
    assert len(cosigned.signatures) == 2
    assert signer_of(cosigned, NAME, [ours]) is ours
    with pytest.raises(NotSigned):
        signer_of(cosigned, NAME, [theirs])


def test_only_ed25519_has_a_verifier_key() -> None:
    """What other verifiers cannot use is not spelled as if they could."""
    assert [name for name, signer in SIGNERS.items() if verifier_key(NAME, signer)] == ["ed25519"]
    assert len({key_hash(NAME, signer) for signer in SIGNERS.values()}) == 3


@pytest.mark.parametrize(
    "fault",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n- name AAAAAAA=\n",
        "text\n\n— name AAAAAAA=".encode(),
        "text\n\n— name AAAA\n".encode(),
        "text\n\n— name AAAAAAB=\n".encode(),
        "text\n\n— na+me AAAAAAA=\n".encode(),
        "text\n\n—  AAAAAAA=\n".encode(),
        "te\txt\n\n— name AAAAAAA=\n".encode(),
        "te\rxt\n\n— name AAAAAAA=\n".encode(),
        b"\xff\n\n" + "— name AAAAAAA=\n".encode(),
        ("text\n\n" + 101 * "— name AAAAAAA=\n").encode(),
        b"x" * (1 << 20) + "\n\n— name AAAAAAA=\n".encode(),
    ],
)
def test_what_is_not_a_note(fault: bytes) -> None:
    """A file that is nearly a note is no note."""
    with pytest.raises(NotANote):
        parse_note(fault)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_anything_at_all(data: bytes) -> None:
    """Whatever the file holds, there is a clear answer; and what is accepted is spelled in one way only."""
    try:
        note = parse_note(data)
    except NotANote:
        return
    assert note.to_bytes() == data


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb"])
def test_names_that_no_key_may_have(name: str) -> None:
    """White space and plus would make a signature line ambiguous."""
    assert not is_key_name(name)
