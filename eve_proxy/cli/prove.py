"""``eve-proxy prove``: that a record is in a journal, or that a journal only grew, for someone who has no journal.

Thin: the proofs are ``signing/proving.py`` and ``signing/proof.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

from eve_proxy.cli.trust import Usage, add_key_options, chosen_keys
from eve_proxy.signing.checkpoint import SUFFIX, Checkpoint, open_checkpoint, read_checkpoint
from eve_proxy.signing.journal_walk import Exit, read_lines
from eve_proxy.signing.note import NotANote, NotSigned, verifier_key
from eve_proxy.signing.proof import (
    InclusionProof,
    NotAProof,
    NotProven,
    check_consistency,
    check_inclusion,
    parse_proof,
)
from eve_proxy.signing.proving import CannotProve, find_record, prove_consistency, prove_inclusion
from eve_proxy.signing.spelling import Unacceptable
from eve_proxy.signing.verification import UNTRUSTED_KEY

_EXITS: Final = """exit status:
  0  the proof was made, or it holds
  1  it does not hold: the journal is not the one that the checkpoint was made of, or something was altered
  2  usage, or there is nothing to prove
  4  no trusted key signed the checkpoint or the record"""


def main(
    argv: Sequence[str], stdout: TextIO, stderr: TextIO, environ: Mapping[str, str], stdin: BinaryIO | None = None
) -> int:
    """Run the command and give back its exit status.

    :param argv: the arguments after ``prove``.
    :param environ: as for ``verify``; only ``--check`` and ``vkey`` need keys.
    :param stdin: what ``-`` reads; the process's standard input by default.
    """
    # ``prove --check FILE`` reads better than a fourth subcommand.
    given = ["check" if argument == "--check" else argument for argument in argv]
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr):
            options = _parser().parse_args(given)
    except SystemExit as stop:
        return int(stop.code or 0)
    act: Callable[[argparse.Namespace, TextIO, Mapping[str, str], BinaryIO], int] = options.act
    try:
        return act(options, stdout, environ, stdin or sys.stdin.buffer)
    except CannotProve as error:
        return _say(stderr, Exit.TAMPERED if error.contradicts else Exit.USAGE, error)
    except NotProven as error:
        return _say(stderr, Exit.TAMPERED, f"NOT PROVEN: {error}")
    except NotSigned as error:
        return _say(stderr, Exit.TAMPERED if error.forged else Exit.UNTRUSTED, f"NOT PROVEN: the checkpoint: {error}")
    except Unacceptable as error:
        answer = Exit.UNTRUSTED if error.fault == UNTRUSTED_KEY else Exit.TAMPERED
        return _say(stderr, answer, f"NOT PROVEN: the record: {error.fault}: {error.detail}")
    except NotANote as error:
        return _say(stderr, Exit.USAGE, f"not a checkpoint: {error}")
    except NotAProof as error:
        return _say(stderr, Exit.USAGE, f"not a proof: {error}")
    except (Usage, OSError) as error:
        return _say(stderr, Exit.USAGE, error)


def _say(stderr: TextIO, answer: Exit, what: object) -> int:
    print(f"eve-proxy prove: {what}", file=stderr)
    return answer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eve-proxy prove",
        description="Make proofs from a journal, and check them: eve-proxy prove --check PROOF.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="inclusion|consistency|vkey|--check")
    inclusion = commands.add_parser("inclusion", help="that a record is in the journal")
    which = inclusion.add_mutually_exclusive_group(required=True)
    which.add_argument("--seq", type=int, metavar="N", help="the record's number (log.seq)")
    which.add_argument("--certificate", metavar="ID", help="the record's certificate_id")
    inclusion.set_defaults(act=_inclusion)
    consistency = commands.add_parser("consistency", help="that the journal begins with an earlier checkpoint's")
    consistency.add_argument("--from", dest="old", metavar="FILE", required=True, help="the earlier checkpoint")
    consistency.set_defaults(act=_consistency)
    for command in (inclusion, consistency):
        command.add_argument("journal", nargs="+", help="the journal; if it was rotated, its files from the first on")
        command.add_argument("--checkpoint", metavar="FILE", help="default: the one beside the last file")
    vkey = commands.add_parser("vkey", help="the key of a checkpoint, as other verifiers of signed notes take it")
    vkey.add_argument("file", metavar="CHECKPOINT")
    vkey.set_defaults(act=_vkey)
    check = commands.add_parser("check", help="check a proof (also: --check)")
    check.add_argument("file", metavar="PROOF", help="a proof, or - for standard input")
    check.add_argument("--from", dest="old", metavar="FILE", help="the earlier checkpoint, for a consistency proof")
    check.add_argument("--json", action="store_true", help="one JSON object instead of text")
    check.set_defaults(act=_check)
    for command in (vkey, check):
        add_key_options(command)
    return parser


def _inclusion(options: argparse.Namespace, stdout: TextIO, environ: Mapping[str, str], stdin: BinaryIO) -> int:
    checkpoint, note = _checkpoint(options)
    index = options.seq
    if index is None:
        index = find_record(_lines(options.journal), options.certificate)
    return _write(stdout, prove_inclusion(_lines(options.journal), index, checkpoint, note).to_bytes())


def _consistency(options: argparse.Namespace, stdout: TextIO, environ: Mapping[str, str], stdin: BinaryIO) -> int:
    checkpoint, note = _checkpoint(options)
    old = read_checkpoint(Path(options.old).read_bytes())
    return _write(stdout, prove_consistency(_lines(options.journal), old, checkpoint, note).to_bytes())


def _vkey(options: argparse.Namespace, stdout: TextIO, environ: Mapping[str, str], stdin: BinaryIO) -> int:
    keys = chosen_keys(options.key, options.jwks, environ)
    checkpoint, key = open_checkpoint(Path(options.file).read_bytes(), keys)
    text = verifier_key(checkpoint.origin, key)
    if text is None:
        raise Usage(f"the checkpoint is signed with {key.algorithm}; only Ed25519 keys have that form")
    return _write(stdout, f"{text}\n".encode())


def _check(options: argparse.Namespace, stdout: TextIO, environ: Mapping[str, str], stdin: BinaryIO) -> int:
    keys = chosen_keys(options.key, options.jwks, environ)
    proof = parse_proof(stdin.read() if options.file == "-" else Path(options.file).read_bytes())
    if isinstance(proof, InclusionProof):
        record, checkpoint = check_inclusion(proof, keys)
        told = _told(checkpoint) | {"proven": "inclusion", "seq": proof.index, "record": record}
        name, said = record["certificate_id"], record["verdict"] or record["kind"]
        what = f"record {proof.index} ({name}, {said}) is in {_journal(checkpoint)}"
    else:
        if options.old is None:
            raise Usage("a consistency proof needs the earlier checkpoint: --from FILE")
        before, checkpoint = check_consistency(proof, Path(options.old).read_bytes(), keys)
        told = _told(checkpoint) | {"proven": "consistency", "from": before.size}
        what = f"{_journal(checkpoint)} begins with the {before.size} records of the earlier checkpoint"
    text = json.dumps(told) if options.json else f"PROVEN: {what}"
    return _write(stdout, f"{text}\n".encode())


def _journal(checkpoint: Checkpoint) -> str:
    return f"the journal {checkpoint.origin} of {checkpoint.size} records"


def _told(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": f"sha256-{checkpoint.root.hex()}"}


def _checkpoint(options: argparse.Namespace) -> tuple[Checkpoint, bytes]:
    note = Path(options.checkpoint or options.journal[-1] + SUFFIX).read_bytes()
    return read_checkpoint(note), note


def _lines(files: Sequence[str]) -> Iterator[bytes]:
    for name in files:
        with open(name, "rb") as stream:
            yield from read_lines(stream)


def _write(stdout: TextIO, data: bytes) -> int:
    stdout.write(data.decode())  # a proof is UTF-8: the dash of a signature line is not ASCII
    return Exit.WHOLE
