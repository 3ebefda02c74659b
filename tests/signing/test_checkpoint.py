"""Checkpoints: what is signed about a journal's size and root, and what is no checkpoint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.signing.checkpoint import Checkpoint, checkpoint_of, open_checkpoint, read_checkpoint
from eve_proxy.signing.checkpoint_signing import sign_checkpoint, sign_note
from eve_proxy.signing.note import NotANote, NotSigned
from eve_proxy.signing.private_key import Ed25519Signer
from tests.fakes.keys import ed25519

SIGNER = Ed25519Signer(ed25519())
LOG = "log_0123456789abcdef"
ROOT = bytes(range(32))


@given(st.integers(0, 2**53 - 1), st.binary(min_size=32, max_size=32))
def test_round_trip(size: int, root: bytes) -> None:
    """A checkpoint says what was signed."""
    checkpoint = checkpoint_of(LOG, size, root)
    assert open_checkpoint(sign_checkpoint(checkpoint, SIGNER), [SIGNER]) == (checkpoint, SIGNER)
    assert checkpoint.log_id == LOG


def test_its_text() -> None:
    """The three lines of c2sp.org/tlog-checkpoint, and a key named like the log."""
    note = sign_checkpoint(checkpoint_of(LOG, 7, ROOT), SIGNER).decode()
    assert note.startswith(f"eve-proxy/{LOG}\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— eve-proxy/{LOG} ")


def test_the_key_must_bear_the_name_of_the_log() -> None:
    """A trusted key's signature as somebody else does not count."""
    note = sign_note(checkpoint_of(LOG, 7, ROOT).text, "eve-proxy/log_other", SIGNER).to_bytes()
    with pytest.raises(NotSigned):
        open_checkpoint(note, [SIGNER])


def test_extension_lines_are_read_over() -> None:
    """What another log says behind the root is signed, too, and means nothing to us."""
    text = Checkpoint(origin="example.com/log", size=1, root=ROOT).text + "extension\n"
    checkpoint = read_checkpoint(sign_note(text, "example.com/log", SIGNER).to_bytes())
    assert (checkpoint.size, checkpoint.log_id) == (1, None)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n",
        "origin\n7\n",
        "origin\n07\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "origin\n-7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "origin\n9007199254740992\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "origin\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
        "origin\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n",
        "origin\n7\nAAEC\n",
        "origin\n7\n!\n",
        "\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "origin\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\nmore\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    """A signed text is not a checkpoint for being signed."""
    with pytest.raises(NotANote):
        read_checkpoint(sign_note(text, "origin", SIGNER).to_bytes())
