"""Reading the signing key again: what a file may hold by now, and what is said when it does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eve_proxy.config import parse
from eve_proxy.settings.files import FileContent
from eve_proxy.settings.key_source import KEY_FILE, SECRET, SECRET_FILE, KeySource, UnusableKey
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from tests.fakes.keys import ed25519, p256, private_pem


def holding(content: bytes, mode: int = 0o600) -> dict[str, FileContent]:
    return {"/key": FileContent(data=content, mode=mode)}


def test_each_kind_of_key() -> None:
    """The variable says what the file holds: a private key, or a secret whose newline does not count."""
    key, secret = KeySource(variable=KEY_FILE, path="/key"), KeySource(variable=SECRET_FILE, path="/key")
    for private, signer in ((ed25519(), Ed25519Signer(ed25519())), (p256(), P256Signer(p256()))):
        read = key.read(holding(private_pem(private)).__getitem__)
        assert read is not None
        assert (read.signer.algorithm, read.signer.key_id) == (signer.algorithm, signer.key_id)
    read = secret.read(holding(b"s" * 32 + b"\n").__getitem__)
    assert read is not None
    assert read.signer.key_id == HmacSigner(b"s" * 32).key_id


@pytest.mark.parametrize(("variable", "name"), [(KEY_FILE, KEY_FILE), (SECRET_FILE, SECRET)])
def test_it_is_digested_as_at_the_start(variable: str, name: str) -> None:
    """A key that was read again and is the same has the digest that the configuration had of it."""
    held = holding(private_pem(ed25519()) if variable == KEY_FILE else b"s" * 32 + b"\n")
    config = parse({variable: "/key"}, read_file=held.__getitem__)
    read = KeySource(variable=variable, path="/key").read(held.__getitem__)
    assert read is not None
    assert read.variable == name
    assert [entry.sha256 for entry in config.entries if entry.name == name] == [read.sha256]
    assert read.sha256 not in repr(read)


def test_no_file() -> None:
    """A secret in the environment stays what it is."""
    assert KeySource(variable=SECRET, path=None).read() is None


@pytest.mark.parametrize(
    ("variable", "content", "said"),
    [
        (KEY_FILE, b"hunter2", "no private key"),
        (KEY_FILE, b"", "no private key"),
        (SECRET_FILE, b"\n", "empty"),
        (SECRET_FILE, private_pem(ed25519()), "never HMAC secrets"),
    ],
)
def test_unusable(variable: str, content: bytes, said: str) -> None:
    """The variable, the file and the fault are named; the content is not."""
    with pytest.raises(UnusableKey, match=said) as raised:
        KeySource(variable=variable, path="/key").read(holding(content).__getitem__)
    assert str(raised.value).startswith(f"{variable}: /key")
    assert "hunter2" not in str(raised.value)
    assert "BEGIN" not in str(raised.value)


def test_a_file_that_is_gone() -> None:
    """An OSError becomes a sentence."""
    with pytest.raises(UnusableKey, match=r"/no/such/key cannot be read \(No such file or directory\)"):
        KeySource(variable=KEY_FILE, path="/no/such/key").read()


def test_a_kubernetes_secret_is_followed_through_its_links(tmp_path: Path) -> None:
    """A volume's file is a link through ``..data``, which the kubelet swings to another folder when it changes."""
    for name, key in (("..2026_01", 1), ("..2026_02", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key.pem").write_bytes(private_pem(ed25519(key)))
        (tmp_path / name / "key.pem").chmod(0o440)  # defaultMode with an fsGroup
    (tmp_path / "..data").symlink_to("..2026_01")
    (tmp_path / "key.pem").symlink_to("..data/key.pem")
    source = KeySource(variable=KEY_FILE, path=str(tmp_path / "key.pem"))
    first = source.read()
    (tmp_path / "..data_tmp").symlink_to("..2026_02")
    os.rename(tmp_path / "..data_tmp", tmp_path / "..data")
    second = source.read()
    assert first is not None
    assert second is not None
    assert (first.signer.key_id, second.signer.key_id) == (
        Ed25519Signer(ed25519(1)).key_id,
        Ed25519Signer(ed25519(2)).key_id,
    )
