"""``eve-proxy verify``: whole journals, offline, one answer. Thin: the examination is ``signing/journal_walk.py``."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from eve_proxy.cli.progress import Progress
from eve_proxy.signing.journal_walk import Exit, Report, read_lines, walk
from eve_proxy.signing.key_document import NotAPublicKey, conflicting, public_keys
from eve_proxy.signing.secret import NotASecret, secret_from_file
from eve_proxy.signing.verification import SECRET_FILE_VARIABLE, SECRET_VARIABLE, Key, keys_from, trusted_keys

# Which answer stands for several journals: the worst one.
_WORST_FIRST: Final = (Exit.USAGE, Exit.TAMPERED, Exit.UNTRUSTED, Exit.UNPROVEN, Exit.WHOLE)
_EXITS: Final = """exit status:
  0  every line verifies, the chain is whole, and the end is proven
  1  tampered: says the first line and which fault
  2  usage
  3  a valid prefix whose end is not proven
  4  the signing key is not among the trusted keys"""


class _Usage(Exception):
    """What the person who typed the command has to change."""


def main(
    argv: Sequence[str], stdout: TextIO, stderr: TextIO, environ: Mapping[str, str], stdin: BinaryIO | None = None
) -> int:
    """Run the command and give back its exit status.

    :param argv: the arguments after ``verify``.
    :param environ: read for ``JWT_SECRET_KEY`` and ``JWT_SECRET_KEY_FILE`` when no ``--key`` is given.
    :param stdin: what ``-`` reads; the process's standard input by default.
    """
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr):
            options = _parser().parse_args(list(argv))
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        _refuse_later_options(options)
        keys = _keys(options.key, options.jwks, environ)
        reports = [
            (name, _examine(name, source, keys, options.require_external, stderr))
            for name, source in _sources(options.journal, stdin)
        ]
    except (_Usage, OSError) as error:
        print(f"eve-proxy verify: {error}", file=stderr)
        return Exit.USAGE
    answer = min((report.exit for _, report in reports), key=_WORST_FIRST.index)
    if options.json:
        journals = [{"journal": name, **asdict(report)} for name, report in reports]
        print(json.dumps({"exit": answer, "journals": journals}), file=stdout)
    else:
        for name, report in reports:
            print(_sentence(name, report), file=stdout)
        for note in _successions(reports):
            print(note, file=stdout)
    return answer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eve-proxy verify",
        description="Verify audit journals offline: every signature, the chain, and the end.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("journal", help="a journal, a directory of journals, or - for standard input")
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
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument(
        "--require-external",
        action="store_true",
        help="an end that only the journal itself vouches for counts as not proven (exit 3)",
    )
    for option in ("--checkpoint", "--witness"):
        parser.add_argument(option, metavar="FILE", help="not available yet")
    return parser


def _refuse_later_options(options: argparse.Namespace) -> None:
    for option in ("checkpoint", "witness"):
        if getattr(options, option) is not None:
            raise _Usage(f"--{option} is not available yet")


def _keys(files: Sequence[str], documents: Sequence[str], environ: Mapping[str, str]) -> tuple[Key, ...]:
    keys: list[Key] = []
    name = ""
    try:
        for name in files:
            keys.extend(trusted_keys(secret_from_file(Path(name).read_bytes())))
        for name in documents:
            keys.extend(public_keys(Path(name).read_bytes()))
    except (NotASecret, NotAPublicKey) as error:
        raise _Usage(f"{name}: {error}") from error
    if not files and not documents:
        keys.extend(keys_from(None, environ))
    if not keys:
        raise _Usage(
            "no key to verify with: give --key FILE or --jwks FILE, "
            f"or set {SECRET_VARIABLE} or {SECRET_FILE_VARIABLE} to the secret"
        )
    if conflicting(keys):
        raise _Usage("two different keys have one key id; give only the one that you trust")
    return tuple(keys)


def _sources(journal: str, stdin: BinaryIO | None) -> Iterator[tuple[str, BinaryIO | Path]]:
    if journal == "-":
        yield "standard input", stdin or sys.stdin.buffer
        return
    path = Path(journal)
    if not path.is_dir():
        yield journal, path
        return
    # journal.jsonl, its worker siblings, rotated files and damaged predecessors; not what lies beside them.
    names = sorted(
        child
        for child in path.rglob("*")
        if ".jsonl" in child.name and child.suffix not in (".lock", ".json") and child.is_file()
    )
    if not names:
        raise _Usage(f"{journal}: no journal (*.jsonl) in this directory")
    for child in names:
        yield str(child), child


def _examine(name: str, source: BinaryIO | Path, keys: Sequence[Key], require_external: bool, stderr: TextIO) -> Report:
    if not isinstance(source, Path):
        return walk(read_lines(source), keys, require_external=require_external)
    with source.open("rb") as stream, Progress(name, source.stat().st_size, stderr) as progress:
        return walk(progress.over(read_lines(stream)), keys, require_external=require_external)


def _sentence(name: str, report: Report) -> str:
    records = f"{report.records} record{'' if report.records == 1 else 's'}"
    if report.exit is Exit.WHOLE:
        return f"{name}: {records} verify; the chain is whole; the end is proven against accident (session_close)"
    place = "" if report.line is None else f"line {report.line}: "
    return f"{name}: {_HEADLINES[report.exit]}: {place}{report.fault}: {report.detail} ({records} before it verify)"


_HEADLINES: Final = {
    Exit.TAMPERED: "TAMPERED",
    Exit.UNPROVEN: "END NOT PROVEN",
    Exit.UNTRUSTED: "KEY NOT TRUSTED",
}


def _successions(reports: Sequence[tuple[str, Report]]) -> Iterator[str]:
    """Which damaged files are accounted for by a journal that names their digest."""
    for name, report in reports:
        for digest in report.follows:
            found = [other for other, _ in reports if ".damaged-" in other and _sha256(other) == digest]
            what = found[0] if found else f"a damaged file that is not here (sha256 {digest})"
            yield f"{name}: succeeds {what}"


def _sha256(name: str) -> str:
    with Path(name).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
