"""``eve-proxy keygen`` as an operator types it."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from unittest import mock

import pytest

from eve_proxy.cli.keygen import main
from eve_proxy.signing.key_document import public_keys
from eve_proxy.signing.private_key import load_signer


def run(*argv: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    return main(argv, stdout, stderr, {}), stdout.getvalue(), stderr.getvalue()


@pytest.mark.parametrize(
    ("options", "algorithm"),
    [((), "Ed25519"), (("--algorithm", "ed25519"), "Ed25519"), (("--algorithm", "p256"), "ECDSA-P256-SHA256")],
)
def test_a_pair(tmp_path: Path, options: tuple[str, ...], algorithm: str) -> None:
    """The private key can sign and only its owner can read it; the JWKS that is printed is its public half."""
    path = tmp_path / "key.pem"
    umask = os.umask(0)
    try:
        status, out, err = run(str(path), *options)
    finally:
        os.umask(umask)
    assert status == 0
    signer = load_signer(path.read_bytes())
    assert signer.algorithm == algorithm
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [key.key_id for key in public_keys(out.encode())] == [signer.key_id]
    assert set(json.loads(out)["keys"][0]) <= {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert err == f"{algorithm} key {signer.key_id}: set EVE_PROXY_SIGNING_KEY_FILE={path}\n"


def test_public_half_in_a_file(tmp_path: Path) -> None:
    """With --jwks nothing is printed, and everybody may read that file."""
    umask = os.umask(0o077)
    try:
        status, out, _ = run(str(tmp_path / "key.pem"), "--jwks", str(tmp_path / "jwks.json"))
    finally:
        os.umask(umask)
    assert (status, out) == (0, "")
    assert stat.S_IMODE((tmp_path / "jwks.json").stat().st_mode) == 0o644
    signer = load_signer((tmp_path / "key.pem").read_bytes())
    assert public_keys((tmp_path / "jwks.json").read_bytes())[0].key_id == signer.key_id


def test_two_keys_differ(tmp_path: Path) -> None:
    """Each key is a new one."""
    run(str(tmp_path / "a"))
    run(str(tmp_path / "b"))
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("which", ["key.pem", "jwks.json"])
@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_nothing_is_overwritten(tmp_path: Path, which: str, kind: str) -> None:
    """A key that is there stays, also behind a link; and no half of a new pair is left."""
    there, elsewhere = tmp_path / which, tmp_path / "elsewhere"
    if kind == "file":
        there.write_text("precious")
    else:
        there.symlink_to(elsewhere)
        if kind == "link":
            elsewhere.write_text("precious")
    before = sorted(path.name for path in tmp_path.iterdir())
    status, out, err = run(str(tmp_path / "key.pem"), "--jwks", str(tmp_path / "jwks.json"))
    assert (status, out) == (1, "")
    assert err == f"eve-proxy keygen: {there}: exists already, and is not overwritten\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert kind == "dangling" or there.read_text() == "precious"


def test_nowhere_to_put_it(tmp_path: Path) -> None:
    """A missing folder is said, and nothing is printed that has no private half."""
    status, out, err = run(str(tmp_path / "missing" / "key.pem"))
    assert (status, out) == (1, "")
    assert "No such file or directory" in err


def test_a_full_disk(tmp_path: Path) -> None:
    """A key that did not reach the disk is not left lying there as if it had."""
    error = OSError(28, "No space left on device")
    with mock.patch("os.fsync", side_effect=error):
        status, out, err = run(str(tmp_path / "key.pem"))
    assert (status, out) == (1, "")
    assert "No space left on device" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argv", [(), ("a", "b"), ("a", "--algorithm", "rsa")])
def test_usage(argv: tuple[str, ...]) -> None:
    """Mistakes of the command line answer 2."""
    assert run(*argv)[0] == 2
