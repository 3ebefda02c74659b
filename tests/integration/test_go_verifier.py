"""Checkpoints and proofs by the word of Go's implementation (golang.org/x/mod/sumdb), which is not ours."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from eve_proxy.cli.prove import main
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.note import verifier_key
from eve_proxy.signing.private_key import Ed25519Signer
from tests.fakes.keys import ed25519
from tests.signing.test_proving import CHAIN, LINES, note

# Debian: apt-get install golang-go golang-golang-x-mod-dev
GO = shutil.which("go")
MODULE = Path("/usr/share/gocode/src/golang.org/x/mod")
SOURCE = Path(__file__).with_name("go_verifier") / "main.go"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GO is None or not MODULE.is_dir(), reason="needs golang-go and golang-golang-x-mod-dev"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verifier, built."""
    assert GO is not None
    folder = tmp_path_factory.mktemp("go")
    shutil.copy(SOURCE, folder / "main.go")
    (folder / "go.mod").write_text(
        f"module verifier\n\ngo 1.17\n\nrequire golang.org/x/mod v0.0.0\n\nreplace golang.org/x/mod => {MODULE}\n"
    )
    environ = {**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    environ |= {"GOCACHE": str(folder / "cache"), "GOPATH": str(folder / "path"), "HOME": str(folder)}
    subprocess.run([GO, "build", "-o", "verifier", "."], cwd=folder, env=environ, check=True)
    return folder / "verifier"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal, all its checkpoints, and our public key."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "events.jsonl").write_bytes(b"".join(LINES))
    for size in range(1, len(LINES) + 1):
        (folder / f"{size}.checkpoint").write_bytes(note(size)[1])
    (folder / "keys.json").write_bytes(jwks([Ed25519Signer(ed25519(1))]))
    return folder


def ours(*arguments: object) -> str:
    stdout, stderr = io.StringIO(), io.StringIO()
    assert main([*map(str, arguments)], stdout, stderr, {}) == 0, stderr.getvalue()
    return stdout.getvalue()


def theirs(program: Path, *arguments: object) -> tuple[int, str]:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip()


def test_go_accepts_every_proof(program: Path, files: Path) -> None:
    """Each record under each checkpoint, and each checkpoint after each earlier one."""
    vkey = ours("vkey", files / "3.checkpoint", "--jwks", files / "keys.json").strip()
    assert vkey == verifier_key(f"eve-proxy/{CHAIN.log_id}", Ed25519Signer(ed25519(1)))
    proof = files / "proof"
    for size in (1, 2, 3, 7, 8, 13, 14):
        checkpoint = files / f"{size}.checkpoint"
        for index in range(size):
            proof.write_text(ours("inclusion", files / "events.jsonl", "--seq", index, "--checkpoint", checkpoint))
            assert theirs(program, vkey, proof) == (0, f"record {index} is in the tree of {size}")
        for old in range(1, size + 1):
            kept = files / f"{old}.checkpoint"
            proof.write_text(ours("consistency", files / "events.jsonl", "--from", kept, "--checkpoint", checkpoint))
            assert theirs(program, vkey, proof, kept) == (0, f"the tree of {size} begins with the tree of {old}")


def test_go_refuses_what_was_altered(program: Path, files: Path) -> None:
    """The other implementation is really asked: a changed line, size or path is refused there, too."""
    vkey = ours("vkey", files / "3.checkpoint", "--jwks", files / "keys.json").strip()
    whole = ours("inclusion", files / "events.jsonl", "--seq", 5, "--checkpoint", files / "13.checkpoint")
    lines = whole.split("\n")
    proof = files / "proof"
    for number in (1, 3, 4):  # the record, and the first hashes of the path
        altered = lines[number]
        flipped = "B" if altered[10] != "B" else "C"
        proof.write_text("\n".join([*lines[:number], altered[:10] + flipped + altered[11:], *lines[number + 1 :]]))
        assert theirs(program, vkey, proof)[0] == 1, number
    proof.write_text(whole.replace("index 5", "index 4"))
    assert theirs(program, vkey, proof)[0] == 1
    proof.write_text(whole.replace("\n13\n", "\n12\n"))
    assert theirs(program, vkey, proof)[0] == 1
    other = verifier_key(f"eve-proxy/{CHAIN.log_id}", Ed25519Signer(ed25519(9)))
    proof.write_text(whole)
    assert theirs(program, other, proof)[0] == 1
