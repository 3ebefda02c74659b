"""What ``eve-proxy verify`` holds a journal against."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from eve_proxy.cli.verify import main
from eve_proxy.signing.checkpoint import checkpoint_of
from eve_proxy.signing.checkpoint_signing import sign_checkpoint
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.merkle import Frontier, leaf_hash
from eve_proxy.signing.private_key import Ed25519Signer
from tests.fakes.journal import Bench
from tests.fakes.keys import ed25519
from tests.fakes.parties import Chain, Parties, two_parties

SIGNER = Ed25519Signer(ed25519(1))


def run(*argv: object, stdin: bytes = b"") -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    status = main([*map(str, argv)], stdout, stderr, {}, io.BytesIO(stdin))
    return status, stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_bytes(jwks([SIGNER]))
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    folder = tmp_path / "journals"
    folder.mkdir()
    bench = Bench(folder / "events.jsonl", signer=SIGNER)
    bench.record()
    bench.journal.close()
    return bench.path


def beside(journal: Path) -> Path:
    return journal.with_name(journal.name + ".checkpoint")


def test_the_checkpoint_beside_the_journal(journal: Path, keys: Path) -> None:
    """A tail that was lost with the session_close shows, as long as the checkpoint was not lost, too."""
    assert run(journal, "--jwks", keys)[0] == 0
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))
    status, out, _ = run(journal, "--jwks", keys)
    assert status == 1
    assert "TAMPERED: cut: the checkpoint has 3 records, the journal 2" in out
    beside(journal).unlink()
    assert run(journal, "--jwks", keys)[0] == 3


def test_a_checkpoint_from_elsewhere(journal: Path, keys: Path, tmp_path: Path) -> None:
    """The same checkpoint proves more when it was kept elsewhere; not when it is the one beside the journal."""
    kept = tmp_path / "kept"
    kept.write_bytes(beside(journal).read_bytes())
    status, out, _ = run(journal, "--jwks", keys, "--checkpoint", kept, "--require-external")
    assert (status, "proven against the holder of the key" in out) == (0, True)
    assert run("-", "--jwks", keys, "--checkpoint", kept, "--require-external", stdin=journal.read_bytes())[0] == 0
    assert run(journal, "--jwks", keys, "--checkpoint", beside(journal), "--require-external")[0] == 3


def test_a_checkpoint_that_is_none(journal: Path, keys: Path, tmp_path: Path) -> None:
    """What the auditor gives has to be one: 2 for another file, 1 for a forged one, 4 for another key's."""
    kept = tmp_path / "kept"
    kept.write_bytes(b"nothing")
    status, _, err = run(journal, "--jwks", keys, "--checkpoint", kept)
    assert (status, f"{kept}: not a checkpoint" in err) == (2, True)
    kept.write_bytes(beside(journal).read_bytes().replace(b"\n3\n", b"\n2\n"))
    assert run(journal, "--jwks", keys, "--checkpoint", kept)[0] == 1
    other = Bench(tmp_path / "other.jsonl", signer=Ed25519Signer(ed25519(7)))
    other.journal.close()
    assert run(journal, "--jwks", keys, "--checkpoint", beside(other.path))[0] == 4


def test_what_lies_beside_is_no_evidence_when_it_is_no_good(journal: Path, keys: Path) -> None:
    """Anyone who can write there could put a broken checkpoint there: it is passed over."""
    beside(journal).write_bytes(b"nothing")
    assert run(journal, "--jwks", keys)[0] == 0


def test_a_folder_and_its_checkpoints(keys: Path, tmp_path: Path) -> None:
    """Each checkpoint finds its journal among many; one whose journal was removed or replaced is a fault."""
    folder, kept = tmp_path / "journals", tmp_path / "kept"
    folder.mkdir()
    frontier = Frontier()
    for number, name in enumerate(("first", "second")):
        chain = Chain(SIGNER, f"log_{number:016x}")
        chain.note("session_open", 1)
        chain.note("session_close", 2)
        (folder / f"{name}.jsonl").write_bytes(b"".join(chain.lines()))
    for line in chain.lines():
        frontier.add(leaf_hash(line[:-1]))
    kept.write_bytes(sign_checkpoint(checkpoint_of(chain.log_id, 2, frontier.root()), SIGNER))
    status, out, _ = run(folder, "--jwks", keys, "--checkpoint", kept)
    assert status == 0
    assert "second.jsonl: 2 records verify; the chain is whole; the end is proven against the holder of the key" in out
    (folder / "second.jsonl").rename(tmp_path / "gone")
    (folder / "third.jsonl").write_bytes(b"nothing")
    status, out, _ = run(folder, "--jwks", keys, "--checkpoint", kept, "--json")
    (missing,) = [told for told in json.loads(out)["journals"] if told["journal"] == str(kept)]
    assert (status, missing["fault"]) == (1, "cut")
    assert chain.log_id in missing["detail"]


def write(parties: Parties, folder: Path) -> tuple[Path, Path]:
    proxy, witness = folder / "proxy.jsonl", folder / "witness.jsonl"
    proxy.write_bytes(b"".join(parties.proxy.lines()))
    witness.write_bytes(b"".join(parties.witness.lines()))
    return proxy, witness


def test_a_witness(keys: Path, tmp_path: Path) -> None:
    """Its journal is verified with its own key, and compared."""
    theirs = tmp_path / "theirs.json"
    theirs.write_bytes(jwks([Ed25519Signer(ed25519(2))]))
    parties = two_parties()
    proxy, witness = write(parties, tmp_path)
    arguments = ("--jwks", keys, "--witness", witness, "--witness-key", theirs)
    status, out, _ = run(proxy, *arguments, "--require-external")
    assert (status, "  witness: 4 decisions agree" in out) == (0, True)
    del parties.proxy.drafts[4]
    proxy, _ = write(parties, tmp_path)
    status, out, _ = run(proxy, *arguments)
    assert (status, "TAMPERED: dropped: the witness answered cert_0000000000000004" in out) == (1, True)


def test_a_witness_that_does_not_verify(keys: Path, tmp_path: Path) -> None:
    """A tampered witness, or one signed by somebody else, is named and compared with nothing."""
    proxy, witness = write(two_parties(), tmp_path)
    status, out, _ = run(proxy, "--jwks", keys, "--witness", witness)
    assert (status, f"{witness}: KEY NOT TRUSTED" in out) == (4, True)
    theirs = tmp_path / "theirs.json"
    theirs.write_bytes(jwks([Ed25519Signer(ed25519(2))]))
    witness.write_bytes(witness.read_bytes().replace(b"BLOCKED", b"ALLOWED"))
    status, out, _ = run(proxy, "--jwks", keys, "--witness", witness, "--witness-key", theirs)
    assert (status, f"{witness}: TAMPERED: line 4: edited" in out) == (1, True)


def test_a_witness_key_without_a_witness(keys: Path, journal: Path) -> None:
    """Half of a pair of options is a mistake."""
    status, _, err = run(journal, "--jwks", keys, "--witness-key", keys)
    assert (status, "--witness FILE" in err) == (2, True)
