"""``eve-proxy export``: a journal's certificates as JWS, DSSE envelopes or OCSF events, one per line.

Only what verifies goes out: signing a certificate again, or passing it on as an event, vouches for it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, TextIO

import orjson

from eve_proxy.cli.trust import Usage, add_key_options, chosen_keys
from eve_proxy.export import dsse, jws, ocsf
from eve_proxy.interfaces import ISigner
from eve_proxy.model.errors import SigningFailed
from eve_proxy.settings.key_source import KEY_FILE, SECRET, SECRET_FILE, signer_from
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_files import Chain, chains, find_journals
from eve_proxy.signing.journal_walk import Exit, read_lines
from eve_proxy.signing.private_key import NotASigningKey
from eve_proxy.signing.secret import NotASecret, is_key_document, secret_bytes
from eve_proxy.signing.spelling import Unacceptable, read_line
from eve_proxy.signing.verification import UNTRUSTED_KEY, Key, check_fields

# A verified line and its fields to a line of output.
Format = Callable[[bytes, dict[str, object]], bytes]

_EPILOG: Final = f"""The key that signs JWS and DSSE: --signing-key, else {KEY_FILE}, else {SECRET} or
{SECRET_FILE}. Certificates that it made verify without further options; give --key or
--jwks for those of other keys. Order and completeness are what eve-proxy verify examines.

exit status:
  0  every certificate was exported
  1  a line does not verify; those before it were exported
  2  usage
  4  a certificate is signed with a key that is not among the trusted keys"""


def main(
    argv: Sequence[str],
    stdout: TextIO,
    stderr: TextIO,
    environ: Mapping[str, str],
    stdin: BinaryIO | None = None,
    output: BinaryIO | None = None,
) -> int:
    """Run the command and give back its exit status.

    :param stdin: what ``-`` reads; the process's standard input by default.
    :param output: where the lines go; the process's standard output by default.
    """
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr):
            options = _parser().parse_args(list(argv))
    except SystemExit as stop:
        return int(stop.code or 0)
    write = (output or sys.stdout.buffer).write
    try:
        signer = _signer(options.signing_key, environ)
        form = _format(options, signer)
        keys = _trusted(options, signer, environ)
        for name, lines in _journals(options.journal, stdin):
            for number, line in enumerate(lines, start=1):
                try:
                    fields = _verified(line, keys)
                except Unacceptable as error:
                    print(f"eve-proxy export: {name}: line {number}: {error.fault}: {error.detail}", file=stderr)
                    return Exit.UNTRUSTED if error.fault == UNTRUSTED_KEY else Exit.TAMPERED
                write(form(line[:-1], fields) + b"\n")
    except (Usage, SigningFailed, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise  # the reader has seen enough
        print(f"eve-proxy export: {error}", file=stderr)
        return Exit.USAGE
    return Exit.WHOLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eve-proxy export",
        description="Export certificates for other tools, one per line; each carries the journal's line unchanged.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("journal", help="a journal, a directory of them (rotated ones too), or - for standard input")
    parser.add_argument("--format", required=True, choices=("jws", "dsse", "ocsf"))
    parser.add_argument(
        "--detached", action="store_true", help="JWS without payload: line N belongs to line N of the journal"
    )
    parser.add_argument("--signing-key", metavar="FILE", help="a PEM private key, or a shared secret")
    add_key_options(parser)
    return parser


def _format(options: argparse.Namespace, signer: ISigner | None) -> Format:
    if options.detached and options.format != "jws":
        raise Usage("--detached goes with --format jws")
    if options.format == "ocsf":
        return lambda line, fields: orjson.dumps(ocsf.event(line, fields))
    if signer is None:
        raise Usage(f"no key to sign with: give --signing-key FILE, or set {KEY_FILE}, {SECRET} or {SECRET_FILE}")
    make = dsse.envelope if options.format == "dsse" else jws.detached if options.detached else jws.compact
    return partial(_signed, make, signer)


def _signed(make: Callable[[bytes, ISigner], bytes], signer: ISigner, line: bytes, fields: dict[str, object]) -> bytes:
    return make(line, signer)


def _signer(name: str | None, environ: Mapping[str, str]) -> ISigner | None:
    """The key of the option, or else of the variables that give it to the daemon."""
    for variable, path in (("--signing-key", name), (KEY_FILE, environ.get(KEY_FILE)), (SECRET_FILE, _file(environ))):
        if not path:
            continue
        content = Path(path).read_bytes()
        pem = variable == KEY_FILE or (variable == "--signing-key" and is_key_document(content))
        try:
            return signer_from(KEY_FILE if pem else SECRET_FILE, content)
        except (NotASigningKey, NotASecret) as error:
            raise Usage(f"{variable}: {path}: {error}") from error
    try:
        secret = environ.get(SECRET)
        return HmacSigner(secret_bytes(secret)) if secret else None
    except NotASecret as error:
        raise Usage(f"{SECRET}: {error}") from error


def _file(environ: Mapping[str, str]) -> str | None:
    return None if environ.get(SECRET) else environ.get(SECRET_FILE)


def _trusted(options: argparse.Namespace, signer: ISigner | None, environ: Mapping[str, str]) -> tuple[Key, ...]:
    own = () if signer is None else (signer,)
    if own and not options.key and not options.jwks:
        return own
    return (*own, *chosen_keys(options.key, options.jwks, environ))


def _verified(line: bytes, keys: Sequence[Key]) -> dict[str, object]:
    if not line.endswith(b"\n"):
        raise Unacceptable("truncated", "the last line is incomplete")
    fields = read_line(line[:-1])
    check_fields(fields, keys)
    return fields


def _journals(journal: str, stdin: BinaryIO | None) -> Iterable[tuple[str, Iterable[bytes]]]:
    if journal == "-":
        return [("standard input", read_lines(stdin or sys.stdin.buffer))]
    path = Path(journal)
    found = chains(find_journals(path)) if path.is_dir() else [Chain(log_id=None, paths=(path,))]
    if not found:
        raise Usage(f"{journal}: no journal (*.jsonl) with records in this directory")
    return [(chain.name, chain.lines()) for chain in found]
