"""``eve-proxy keygen``: a private key for EVE_PROXY_SIGNING_KEY_FILE, and its public half for auditors."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.private_key import load_signer

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def main(argv: Sequence[str], stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> int:
    """Exit status 0: both files are there; 1: nothing was made; 2: usage."""
    parser = argparse.ArgumentParser(
        prog="eve-proxy keygen",
        description="Make a private key that signs certificates. A file that exists is never overwritten.",
    )
    parser.add_argument("file", help="where the private key goes (PEM, PKCS#8, mode 0600)")
    parser.add_argument("--algorithm", choices=("ed25519", "p256"), default="ed25519", help="default ed25519")
    parser.add_argument("--jwks", metavar="FILE", help="where the public key goes; default standard output")
    try:
        options = parser.parse_args(argv)
    except SystemExit as left:
        return int(left.code or 0)
    pem = _private_pem(options.algorithm)
    signer = load_signer(pem)
    public = jwks([signer])
    made: list[Path] = []
    try:
        _create(Path(options.file), pem, 0o600, made)
        if options.jwks is not None:
            _create(Path(options.jwks), public, 0o644, made)
    except OSError as error:
        for path in made:  # half a pair would be in the way of the next attempt
            path.unlink(missing_ok=True)
        why = "exists already, and is not overwritten" if isinstance(error, FileExistsError) else error.strerror
        stderr.write(f"eve-proxy keygen: {error.filename or options.file}: {why}\n")
        return FAILED
    if options.jwks is None:
        stdout.write(public.decode("ascii"))
    stderr.write(f"{signer.algorithm} key {signer.key_id}: set EVE_PROXY_SIGNING_KEY_FILE={options.file}\n")
    return DONE


def _private_pem(algorithm: str) -> bytes:
    private = Ed25519PrivateKey.generate() if algorithm == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _create(path: Path, content: bytes, mode: int, made: list[Path]) -> None:
    """Make ``path``, durable when this returns; a link that stands there counts as existing (open(2), O_EXCL).

    :raises OSError: with its filename.
    """
    descriptor = os.open(path, _FLAGS, mode)
    made.append(path)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # whatever the umask left
        file.write(content)
        file.flush()
        os.fsync(descriptor)
