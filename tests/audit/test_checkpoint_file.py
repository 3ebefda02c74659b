"""The file beside the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from eve_proxy.audit.checkpoint_file import CheckpointFile
from eve_proxy.audit.tree import Tree
from eve_proxy.model.errors import SigningFailed
from eve_proxy.signing.checkpoint import open_checkpoint
from eve_proxy.signing.merkle import leaf_hash
from eve_proxy.signing.private_key import Ed25519Signer
from tests.fakes.keys import ed25519

SIGNER = Ed25519Signer(ed25519())
LOG = "log_0123456789abcdef"


def tree(*lines: bytes) -> Tree:
    grown = Tree()
    assert grown.frontier is not None
    for line in lines:
        grown.frontier.add(leaf_hash(line))
    return grown


def test_it_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """A reader finds one checkpoint or the next, signed, and nothing is left over."""
    grown = tree(b"a", b"b")
    file = CheckpointFile(tmp_path / "events.jsonl", LOG, grown, lambda: SIGNER)
    for expected in (2, 3):
        said = file.write()
        checkpoint, _ = open_checkpoint((tmp_path / "events.jsonl.checkpoint").read_bytes(), [SIGNER])
        assert said is not None
        assert (checkpoint.size, said["size"], checkpoint.log_id) == (expected, expected, LOG)
        assert said["root"] == "sha256-" + checkpoint.root.hex()
        assert grown.frontier is not None
        grown.frontier.add(leaf_hash(b"next"))
    assert [child.name for child in tmp_path.iterdir()] == ["events.jsonl.checkpoint"]


def test_no_tree_no_checkpoint(tmp_path: Path) -> None:
    """Nothing is signed about lines that nobody has seen."""
    unknown = Tree()
    unknown.frontier = None
    assert CheckpointFile(tmp_path / "events.jsonl", LOG, unknown, lambda: SIGNER).write() is None
    assert list(tmp_path.iterdir()) == []


def test_a_signer_that_fails(tmp_path: Path) -> None:
    """Its message may hold anything, and is not repeated."""

    class Broken(Ed25519Signer):
        def sign(self, content_hash: str) -> str:
            raise RuntimeError("the secret is hunter2")

    with pytest.raises(SigningFailed, match="could not be signed: RuntimeError") as refused:
        CheckpointFile(tmp_path / "events.jsonl", LOG, tree(b"a"), lambda: Broken(ed25519())).write()
    assert "hunter2" not in str(refused.value)
