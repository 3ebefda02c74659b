"""Which keys a command trusts."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from eve_proxy.cli.trust import Usage, add_key_options, chosen_keys
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.private_key import Ed25519Signer
from tests.fakes.keys import ed25519
from tests.fakes.ports import SECRET

SIGNER = Ed25519Signer(ed25519())


def test_keys_come_from_the_options_or_else_from_the_environment(tmp_path: Path) -> None:
    """Who names a key trusts it alone: the environment's secret is not added to it."""
    keys, secret = tmp_path / "keys.json", tmp_path / "secret"
    keys.write_bytes(jwks([SIGNER]))
    secret.write_bytes(SECRET + b"\n")
    environ = {"JWT_SECRET_KEY": "the secret of the environment, 32 or more"}
    assert [key.key_id for key in chosen_keys([], [str(keys)], environ)] == [SIGNER.key_id]
    assert [key.algorithm for key in chosen_keys([str(secret)], [str(keys)], environ)] == ["HMAC-SHA256", "Ed25519"]
    assert [key.algorithm for key in chosen_keys([], [], environ)] == ["HMAC-SHA256"]


def test_no_key_is_a_mistake(tmp_path: Path) -> None:
    """Nothing is verified with nothing, and a file that holds no key is named."""
    with pytest.raises(Usage, match="no key to verify with"):
        chosen_keys([], [], {})
    (tmp_path / "empty").write_bytes(b"{}")
    with pytest.raises(Usage, match="empty"):
        chosen_keys([], [str(tmp_path / "empty")], {})


def test_options_may_be_repeated() -> None:
    """A log whose key was changed needs both."""
    parser = argparse.ArgumentParser()
    add_key_options(parser)
    options = parser.parse_args(["--key", "a", "--key", "b", "--jwks", "c"])
    assert (options.key, options.jwks) == (["a", "b"], ["c"])
