"""The HMAC key behind the ports, and the advice about its length."""

from __future__ import annotations

import pytest

from eve_proxy.signing.hmac_key import HmacSigner, HmacVerifier, short_secret_warning
from eve_proxy.signing.secret import NotASecret
from tests.signing.test_secret import PEM


def test_verifier_checks_what_the_signer_made() -> None:
    """The two halves agree, on signatures and on the key's name."""
    signer, verifier = HmacSigner(b"k" * 32), HmacVerifier(b"k" * 32)
    assert verifier.verify("sha256-00", signer.sign("sha256-00"))
    assert not verifier.verify("sha256-01", signer.sign("sha256-00"))
    assert (signer.algorithm, signer.key_id) == (verifier.algorithm, verifier.key_id)


def test_public_key_is_refused() -> None:
    """A PEM in JWT_SECRET_KEY stops the start."""
    with pytest.raises(NotASecret, match="never HMAC secrets"):
        HmacSigner(PEM)


def test_short_secret_is_warned_about_and_not_shown() -> None:
    """An operator with a weak secret reads how long it is and how to make a better one."""
    warning = short_secret_warning(b"hunter2")
    assert warning is not None
    assert "7 bytes" in warning
    assert "hunter2" not in warning
    assert short_secret_warning(b"x" * 32) is None
