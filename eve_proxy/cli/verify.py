"""``eve-proxy verify``: whole journals, offline, one answer. Thin: the examination is ``signing/journal_walk.py``."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from eve_proxy.cli.progress import Progress
from eve_proxy.cli.sources import Sources
from eve_proxy.cli.trust import Usage, add_key_options, chosen_keys, chosen_material
from eve_proxy.signing.checkpoint import SUFFIX
from eve_proxy.signing.journal_walk import KEY_HOLDER, Exit, Report, read_lines, walk
from eve_proxy.signing.outside import CheckpointSource, Outside
from eve_proxy.signing.parallel_walk import processes, walk_file
from eve_proxy.signing.verification import Key, keys_from

# Which answer stands for several journals: the worst one.
_WORST_FIRST: Final = (Exit.USAGE, Exit.TAMPERED, Exit.UNTRUSTED, Exit.UNPROVEN, Exit.WHOLE)
_BESIDE: Final = (".lock", ".json", SUFFIX, ".new")
# Bytes from which on other processes help: starting them takes as long as verifying this much.
_LARGE: Final = 16 << 20
_EXITS: Final = """exit status:
  0  every line verifies, the chain is whole, and the end is proven
  1  tampered: says the first line and which fault
  2  usage
  3  a valid prefix whose end is not proven
  4  the signing key is not among the trusted keys"""


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
        material = chosen_material(options.key, options.jwks, environ)
        keys = keys_from(material)
        sources = _held_against(options, keys, stderr)
        journals = list(_journals(options.journal, stdin))
        reports = [*sources.findings]
        for name, source in journals:
            outside = sources.of(source if isinstance(source, Path) else None, alone=len(journals) == 1)
            reports.append((name, _examine(name, source, material, options, outside, stderr)))
        reports += sources.unused()
        sources.close()
    except (Usage, OSError) as error:
        print(f"eve-proxy verify: {error}", file=stderr)
        return Exit.USAGE
    answer = min((report.exit for _, report in reports), key=_WORST_FIRST.index)
    if options.json:
        told = [{"journal": name, **asdict(report)} for name, report in reports]
        print(json.dumps({"exit": answer, "journals": told}), file=stdout)
    else:
        for name, report in reports:
            print(_sentence(name, report), file=stdout)
            for note in report.notes:
                print(f"  {note}", file=stdout)
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
    add_key_options(parser)
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        action="append",
        default=[],
        help="a checkpoint of the journal that was kept elsewhere; repeatable (default: the one beside the journal)",
    )
    parser.add_argument("--witness", metavar="FILE", help="the journal of the decision service that signed the answers")
    parser.add_argument(
        "--witness-key",
        metavar="FILE",
        action="append",
        default=[],
        help="that service's public keys, PEM or JWKS; repeatable (default: any trusted key)",
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=int,
        default=0,
        help="processes for a large journal (default: one for each core that this process may use)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument(
        "--require-external",
        action="store_true",
        help="an end that only the journal itself vouches for counts as not proven (exit 3)",
    )
    return parser


def _held_against(options: argparse.Namespace, keys: Sequence[Key], stderr: TextIO) -> Sources:
    sources = Sources(keys, stderr)
    for name in options.checkpoint:
        sources.add_checkpoint(Path(name))
    if options.witness is not None:
        witness_keys = chosen_keys(options.witness_key, (), {}) if options.witness_key else keys
        sources.add_witness(Path(options.witness), witness_keys)
    elif options.witness_key:
        raise Usage("--witness-key goes with --witness FILE")
    return sources


def _journals(journal: str, stdin: BinaryIO | None) -> Iterator[tuple[str, BinaryIO | Path]]:
    if journal == "-":
        yield "standard input", stdin or sys.stdin.buffer
        return
    path = Path(journal)
    if not path.is_dir():
        yield journal, path
        return
    # journal.jsonl, its worker siblings, rotated files and damaged predecessors; not what lies beside them.
    names = sorted(
        child for child in path.rglob("*") if ".jsonl" in child.name and child.suffix not in _BESIDE and child.is_file()
    )
    if not names:
        raise Usage(f"{journal}: no journal (*.jsonl) in this directory")
    for child in names:
        yield str(child), child


def _examine(
    name: str,
    source: BinaryIO | Path,
    material: Sequence[bytes],
    options: argparse.Namespace,
    outside: Sequence[Outside],
    stderr: TextIO,
) -> Report:
    keys, external = keys_from(material), options.require_external
    if not isinstance(source, Path):
        return walk(read_lines(source), keys, require_external=external, outside=outside)
    size = source.stat().st_size
    jobs = options.jobs or len(os.sched_getaffinity(0))
    checkpoints = [each for each in outside if isinstance(each, CheckpointSource)]
    with Progress(name, size, stderr) as progress:
        if jobs > 1 and size >= _LARGE and len(checkpoints) == len(outside):
            with processes(material, jobs) as pool:
                return walk_file(
                    source,
                    keys,
                    pool,
                    ahead=2 * jobs,
                    require_external=external,
                    outside=checkpoints,
                    advance=progress.advance,
                )
        with source.open("rb") as stream:
            lines = progress.over(read_lines(stream))
            return walk(lines, keys, require_external=external, outside=outside)


def _sentence(name: str, report: Report) -> str:
    records = f"{report.records} record{'' if report.records == 1 else 's'}"
    if report.exit is Exit.WHOLE:
        by = "session_close" if report.closed else "checkpoint"
        whom = "the holder of the key" if report.proven_against == KEY_HOLDER else f"accident ({by})"
        return f"{name}: {records} verify; the chain is whole; the end is proven against {whom}"
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
