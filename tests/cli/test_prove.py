"""``eve-proxy prove`` as an auditor, a client and an operator type it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from eve_proxy.cli.prove import main
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from tests.fakes.journal import Bench
from tests.fakes.keys import ed25519, p256

SIGNER = Ed25519Signer(ed25519())


def run(*argv: object, stdin: bytes = b"") -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    status = main([*map(str, argv)], stdout, stderr, {}, io.BytesIO(stdin))
    return status, stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Seven records, an earlier checkpoint ``kept`` and the public key ``keys.json`` beside it."""
    bench = Bench(tmp_path / "events.jsonl", signer=SIGNER)
    bench.drafts = 0xC0  # ids that the journal's own records do not have
    for _ in range(3):
        bench.record()
    bench.clock.advance(60)
    (tmp_path / "kept").write_bytes(bench.path.with_name("events.jsonl.checkpoint").read_bytes())
    bench.record()
    bench.journal.close()
    (tmp_path / "keys.json").write_bytes(jwks([SIGNER]))
    return bench.path


def test_inclusion(journal: Path) -> None:
    """A client with nothing but his certificate's id gets a proof that anybody can check."""
    keys = journal.with_name("keys.json")
    status, proof, err = run("inclusion", journal, "--certificate", "cert_00000000000000c2")
    assert (status, err) == (0, "")
    assert run("inclusion", journal, "--seq", 2)[1] == proof
    file = journal.with_name("a.tlog-proof")
    file.write_text(proof, encoding="utf-8")
    status, out, err = run("--check", file, "--jwks", keys)
    assert (status, err) == (0, "")
    assert out.startswith("PROVEN: record 2 (cert_00000000000000c2, allow) is in the journal eve-proxy/log_")
    assert out.endswith(" of 7 records\n")
    status, out, _ = run("check", "-", "--json", "--jwks", keys, stdin=proof.encode())
    told = json.loads(out)
    assert (status, told["proven"], told["seq"], told["size"]) == (0, "inclusion", 2, 7)
    assert told["record"]["certificate_id"] == "cert_00000000000000c2"


def test_consistency(journal: Path) -> None:
    """An auditor who kept a checkpoint is shown that nothing before it was rewritten."""
    kept, keys, file = (journal.with_name(name) for name in ("kept", "keys.json", "proof"))
    status, proof, _ = run("consistency", journal, "--from", kept)
    assert status == 0
    file.write_text(proof, encoding="utf-8")
    status, out, _ = run("--check", file, "--from", kept, "--jwks", keys)
    assert status == 0
    assert out.endswith(" of 7 records begins with the 4 records of the earlier checkpoint\n")
    assert json.loads(run("--check", file, "--from", kept, "--jwks", keys, "--json")[1])["from"] == 4


def test_a_rewritten_journal_proves_nothing(journal: Path) -> None:
    """Whoever holds the key and rewrites the past has no proof for a checkpoint that was kept: exit 1."""
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], lines[2], *lines[2:]]))
    for arguments in (
        ["inclusion", journal, "--seq", 0],
        ["consistency", journal, "--from", journal.with_name("kept")],
    ):
        status, out, err = run(*arguments)
        assert (status, out) == (1, "")
        assert "are not those of" in err


def test_altered_proofs_and_other_keys(journal: Path) -> None:
    """Each wrong thing has its exit: 1 altered, 4 another key, 2 not a proof."""
    keys, file = journal.with_name("keys.json"), journal.with_name("proof")
    proof = run("inclusion", journal, "--seq", 3)[1]
    file.write_text(proof.replace("index 3", "index 2"), encoding="utf-8")
    status, _, err = run("--check", file, "--jwks", keys)
    assert status == 1
    assert "NOT PROVEN: the path does not lead from the line" in err
    file.write_text(proof.replace("\n7\n", "\n8\n"), encoding="utf-8")
    assert run("--check", file, "--jwks", keys)[0] == 1
    file.write_text(proof, encoding="utf-8")
    other = journal.with_name("other.json")
    other.write_bytes(jwks([P256Signer(p256())]))
    status, _, err = run("--check", file, "--jwks", other)
    assert status == 4
    assert "no trusted key signed it" in err
    file.write_text("old 3", encoding="utf-8")
    assert run("--check", file, "--jwks", keys)[0] == 2
    file.write_text("old 3\n\nno checkpoint", encoding="utf-8")
    assert run("--check", file, "--from", file, "--jwks", keys)[0] == 2


def test_what_is_missing_is_said(journal: Path) -> None:
    """Usage errors name what to give."""
    keys, file = journal.with_name("keys.json"), journal.with_name("proof")
    file.write_text(run("consistency", journal, "--from", journal.with_name("kept"))[1], encoding="utf-8")
    assert "--from FILE" in run("--check", file, "--jwks", keys)[2]
    assert "no key to verify with" in run("--check", file)[2]
    assert "no record cert_x" in run("inclusion", journal, "--certificate", "cert_x")[2]
    assert "not covered" in run("inclusion", journal, "--seq", 99)[2]
    status, _, err = run("inclusion", journal.with_name("none.jsonl"), "--seq", 0)
    assert (status, "none.jsonl.checkpoint" in err) == (2, True)
    for wrong in (["inclusion", str(journal)], ["nonsense"], []):
        assert run(*wrong)[0] == 2
    status, out, _ = run("--help")
    assert status == 0
    assert "exit status" in out


def test_vkey(journal: Path) -> None:
    """The key as Go's tools and witnesses take it."""
    checkpoint, keys = journal.with_name("events.jsonl.checkpoint"), journal.with_name("keys.json")
    status, out, _ = run("vkey", checkpoint, "--jwks", keys)
    assert status == 0
    assert out.startswith("eve-proxy/log_")
    assert out.count("+") >= 2


def test_other_keys_have_no_vkey(tmp_path: Path) -> None:
    """Only Ed25519 keys have that form."""
    bench = Bench(tmp_path / "events.jsonl", signer=P256Signer(p256()))
    bench.journal.close()
    (tmp_path / "keys.json").write_bytes(jwks([P256Signer(p256())]))
    status, _, err = run("vkey", tmp_path / "events.jsonl.checkpoint", "--jwks", tmp_path / "keys.json")
    assert status == 2
    assert "ECDSA-P256-SHA256" in err


def test_rotated_files(journal: Path) -> None:
    """A journal in several files is proven from by naming them in order."""
    lines = journal.read_bytes().splitlines(keepends=True)
    first, rest = journal.with_name("a.jsonl"), journal.with_name("b.jsonl")
    first.write_bytes(b"".join(lines[:3]))
    rest.write_bytes(b"".join(lines[3:]))
    checkpoint = journal.with_name("events.jsonl.checkpoint")
    whole = run("inclusion", journal, "--seq", 5)[1]
    assert run("inclusion", first, rest, "--seq", 5, "--checkpoint", checkpoint)[1] == whole
    assert "begins with record 3" in run("inclusion", rest, "--seq", 5, "--checkpoint", checkpoint)[2]
