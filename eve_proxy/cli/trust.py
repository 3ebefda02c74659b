"""The keys that an auditor trusts, as options of a command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from eve_proxy.signing.key_document import NotAPublicKey, conflicting, public_keys
from eve_proxy.signing.secret import NotASecret, secret_from_file
from eve_proxy.signing.verification import (
    SECRET_FILE_VARIABLE,
    SECRET_VARIABLE,
    Key,
    keys_from,
    secret_from_environment,
    trusted_keys,
)


class Usage(Exception):
    """What the person who typed the command has to change."""


def add_key_options(parser: argparse.ArgumentParser) -> None:
    """``--key`` and ``--jwks``."""
    parser.add_argument(
        "--key",
        metavar="FILE",
        action="append",
        default=[],
        help=f"a file that holds a trusted secret or public keys in PEM; repeatable (default: {SECRET_VARIABLE}, "
        f"{SECRET_FILE_VARIABLE})",
    )
    parser.add_argument(
        "--jwks",
        metavar="FILE",
        action="append",
        default=[],
        help="a file that holds trusted public keys as JWKS (/.well-known/jwks.json); repeatable",
    )


def chosen_keys(files: Sequence[str], documents: Sequence[str], environ: Mapping[str, str]) -> tuple[Key, ...]:
    """The keys of those options, or else the environment's secret; arguments and errors of ``chosen_material``."""
    return keys_from(chosen_material(files, documents, environ))


def chosen_material(files: Sequence[str], documents: Sequence[str], environ: Mapping[str, str]) -> list[bytes]:
    """What those options give, or else the environment's secret, as ``keys_from`` takes it: every piece holds keys.

    :param files: of ``--key``.
    :param documents: of ``--jwks``.
    :raises Usage: there are none, or a file holds something else.
    :raises OSError: a file cannot be read.
    """
    material: list[bytes] = []
    keys: list[Key] = []
    name = ""
    try:
        for name in files:
            material.append(secret_from_file(Path(name).read_bytes()))
            keys.extend(trusted_keys(material[-1]))
        for name in documents:
            material.append(Path(name).read_bytes())
            keys.extend(public_keys(material[-1]))
    except (NotASecret, NotAPublicKey) as error:
        raise Usage(f"{name}: {error}") from error
    if not files and not documents:
        material.extend(filter(None, [secret_from_environment(environ)]))
        keys.extend(keys_from(material))
    if not keys:
        raise Usage(
            "no key to verify with: give --key FILE or --jwks FILE, "
            f"or set {SECRET_VARIABLE} or {SECRET_FILE_VARIABLE} to the secret"
        )
    if conflicting(keys):
        raise Usage("two different keys have one key id; give only the one that you trust")
    return material
