"""A checkpoint that was kept: what it proves about a journal, and what contradicts it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.signing.checkpoint import Checkpoint, checkpoint_of
from eve_proxy.signing.journal_walk import Exit, Report, read_lines, walk
from eve_proxy.signing.merkle import Frontier, leaf_hash
from eve_proxy.signing.outside import CheckpointSource
from tests.fakes.parties import KEYS, Chain, two_parties

CHAIN = two_parties(6).proxy
GOOD = CHAIN.lines()


def checkpoint(size: int, lines: list[bytes] = GOOD) -> Checkpoint:
    frontier = Frontier()
    for line in lines[:size]:
        frontier.add(leaf_hash(line[:-1]))
    return checkpoint_of(CHAIN.log_id, size, frontier.root())


def examine(lines: list[bytes], kept: Checkpoint, *, external: bool = True, require_external: bool = False) -> Report:
    source = CheckpointSource(kept, external=external)
    return walk(read_lines(io.BytesIO(b"".join(lines))), KEYS, require_external=require_external, outside=[source])


def test_of_the_whole_journal() -> None:
    """A checkpoint from elsewhere proves the end against the holder of the key, even of one that was never closed."""
    report = examine(GOOD[:-1], checkpoint(len(GOOD) - 1), require_external=True)
    assert (report.exit, report.proven_against, report.closed) == (Exit.WHOLE, "key-holder", False)


def test_beside_the_journal() -> None:
    """The journal's own checkpoint proves its end against accident only."""
    report = examine(GOOD[:-1], checkpoint(len(GOOD) - 1), external=False)
    assert (report.exit, report.proven_against) == (Exit.WHOLE, "accident")
    report = examine(GOOD, checkpoint(len(GOOD)), external=False, require_external=True)
    assert (report.exit, report.fault) == (Exit.UNPROVEN, "self-proven")


def test_of_the_beginning() -> None:
    """Records behind the checkpoint are not proven by it, and it says how many are."""
    report = examine(GOOD, checkpoint(3))
    assert (report.exit, report.proven_against) == (Exit.WHOLE, "accident")
    assert report.notes == ("checkpoint: the first 3 of 8 records are proven against the holder of the key",)
    assert examine(GOOD, checkpoint(3), require_external=True).exit is Exit.UNPROVEN
    assert examine(GOOD[:-1], checkpoint(3)).exit is Exit.UNPROVEN


def test_end_was_cut_off() -> None:
    """A journal that has fewer records than the checkpoint lost some, however well it was closed afterwards."""
    shorter = Chain(CHAIN.signer, CHAIN.log_id)
    shorter.drafts = [*CHAIN.drafts[:4], CHAIN.drafts[-1]]
    report = examine(shorter.lines(), checkpoint(7))
    assert (report.exit, report.fault, report.line) == (Exit.TAMPERED, "cut", None)


@given(st.integers(0, 7), st.integers(1, 8))
def test_any_rewriting_shows(edited: int, size: int) -> None:
    """The holder of the key changes a record and signs everything anew: what the checkpoint covers does not fit."""
    rewritten = Chain(CHAIN.signer, CHAIN.log_id)
    rewritten.drafts = list(CHAIN.drafts)
    changed = rewritten.drafts[edited]
    rewritten.drafts[edited] = type(changed)(
        **{name: getattr(changed, name) for name in changed.__slots__} | {"reason": "changed"}
    )
    report = examine(rewritten.lines(), checkpoint(size))
    assert (report.exit is Exit.TAMPERED) == (edited < size)
    if edited < size:
        assert (report.fault, report.line) == ("rewritten", size)


def test_of_another_journal() -> None:
    """A checkpoint that was kept of this journal, and another one stands in its place."""
    other = checkpoint_of("log_00000000000000ff", 3, bytes(32))
    assert examine(GOOD, other).fault == "rewritten"
    assert examine(GOOD, checkpoint(0)).exit is Exit.WHOLE


@pytest.mark.parametrize("position", range(len(GOOD)))
def test_every_line_counts(position: int) -> None:
    """One altered root bit is enough, wherever the checkpoint ends."""
    kept = checkpoint(position + 1)
    altered = Checkpoint(origin=kept.origin, size=kept.size, root=bytes([kept.root[0] ^ 1]) + kept.root[1:])
    assert examine(GOOD, altered).fault == "rewritten"
