"""Signing checkpoints."""

from __future__ import annotations

import pytest

from eve_proxy.model.errors import SigningFailed
from eve_proxy.signing.checkpoint import checkpoint_of, open_checkpoint
from eve_proxy.signing.checkpoint_signing import sign_checkpoint
from eve_proxy.signing.private_key import Ed25519Signer
from tests.fakes.keys import ed25519

CHECKPOINT = checkpoint_of("log_0123456789abcdef", 7, bytes(32))


def test_it_is_signed_in_the_name_of_the_log() -> None:
    """Verifiers find the key by the log's name."""
    signer = Ed25519Signer(ed25519())
    note = sign_checkpoint(CHECKPOINT, signer)
    assert note.decode().count("\n\n\u2014 eve-proxy/log_0123456789abcdef ") == 1
    assert open_checkpoint(note, [signer]) == (CHECKPOINT, signer)


def test_a_signer_that_fails() -> None:
    """There is no checkpoint rather than one without a signature, and its message is not repeated."""

    class Broken(Ed25519Signer):
        def sign(self, content_hash: str) -> str:
            raise RuntimeError("hunter2")

    with pytest.raises(SigningFailed) as refused:
        sign_checkpoint(CHECKPOINT, Broken(ed25519()))
    assert "hunter2" not in str(refused.value)
