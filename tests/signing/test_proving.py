"""From journals to proofs: whatever was made from an honest journal holds, and a journal that changed makes none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.signing.checkpoint import Checkpoint, checkpoint_of
from eve_proxy.signing.checkpoint_signing import sign_checkpoint
from eve_proxy.signing.merkle import Frontier, leaf_hash
from eve_proxy.signing.proof import check_consistency, check_inclusion, parse_proof
from eve_proxy.signing.proving import CannotProve, find_record, prove_consistency, prove_inclusion
from tests.fakes.parties import PROXY, Chain, two_parties

CHAIN = two_parties(12).proxy
LINES = CHAIN.lines()


def note(size: int, lines: list[bytes] = LINES, log_id: str = CHAIN.log_id) -> tuple[Checkpoint, bytes]:
    frontier = Frontier()
    for line in lines[:size]:
        frontier.add(leaf_hash(line[:-1]))
    checkpoint = checkpoint_of(log_id, size, frontier.root())
    return checkpoint, sign_checkpoint(checkpoint, PROXY)


@given(st.data())
def test_inclusion(data: st.DataObject) -> None:
    """Any record can be proven to be under any checkpoint that covers it, and the proof survives its file."""
    size = data.draw(st.integers(1, len(LINES)))
    index = data.draw(st.integers(0, size - 1))
    checkpoint, signed = note(size)
    proof = parse_proof(prove_inclusion(LINES, index, checkpoint, signed).to_bytes())
    record, proven = check_inclusion(proof, [PROXY])  # type: ignore[arg-type]
    assert (record["log"]["seq"], proven) == (index, checkpoint)
    assert proof.line + b"\n" == LINES[index]  # type: ignore[union-attr]


@given(st.data())
def test_consistency(data: st.DataObject) -> None:
    """Any two checkpoints of one journal can be shown to be of one journal."""
    new = data.draw(st.integers(1, len(LINES)))
    old = data.draw(st.integers(1, new))
    (before, kept), (after, signed) = note(old), note(new)
    proof = parse_proof(prove_consistency(LINES, before, after, signed).to_bytes())
    assert check_consistency(proof, kept, [PROXY]) == (before, after)  # type: ignore[arg-type]


def test_find_record() -> None:
    """A record is found by the id that a client was given."""
    assert find_record(LINES, "cert_0000000000000003") == 3
    with pytest.raises(CannotProve, match="no record cert_ffffffffffffffff"):
        find_record(LINES, "cert_ffffffffffffffff")


@pytest.mark.parametrize("index", [-1, 5, 900])
def test_not_covered(index: int) -> None:
    """A record behind the checkpoint cannot be proven with it; that accuses nobody."""
    with pytest.raises(CannotProve, match="not covered") as refused:
        prove_inclusion(LINES, index, *note(5))
    assert not refused.value.contradicts


def test_a_journal_that_contradicts_its_checkpoint() -> None:
    """Rewritten or cut: there is no proof, and the message says which."""
    rewritten = Chain(CHAIN.signer, CHAIN.log_id)
    rewritten.drafts = [*CHAIN.drafts[:3], *CHAIN.drafts[4:]]
    lines = rewritten.lines()
    with pytest.raises(CannotProve, match="are not those of the checkpoint") as refused:
        prove_inclusion(lines, 0, *note(8))
    assert refused.value.contradicts
    with pytest.raises(CannotProve, match="the journal has 5 records, the checkpoint 8"):
        prove_inclusion(LINES[:5], 0, *note(8))
    with pytest.raises(CannotProve, match="the earlier checkpoint") as refused:
        prove_consistency(lines, note(5)[0], *note(8, lines))
    assert refused.value.contradicts


def test_other_journals() -> None:
    """A checkpoint of another journal proves nothing about this one."""
    with pytest.raises(CannotProve, match="of another journal"):
        prove_inclusion(LINES, 0, *note(5, log_id="log_ffffffffffffffff"))
    with pytest.raises(CannotProve, match="of different journals"):
        prove_consistency(LINES, note(3, log_id="log_ffffffffffffffff")[0], *note(5))
    with pytest.raises(CannotProve, match="does not continue"):
        prove_consistency(LINES, note(6)[0], *note(5))


def test_a_file_that_begins_in_the_middle() -> None:
    """A rotated journal is proven from with all its files."""
    with pytest.raises(CannotProve, match="begins with record 2"):
        prove_inclusion(LINES[2:], 0, *note(5))
    with pytest.raises(CannotProve, match="not a record"):
        prove_inclusion([b"{}\n"], 0, *note(1))


def test_an_incomplete_last_line_is_no_record() -> None:
    """While the daemon writes, the file may end anywhere."""
    torn = [*LINES[:5], LINES[5][:40]]
    assert prove_inclusion(torn, 4, *note(5)).line + b"\n" == LINES[4]
    with pytest.raises(CannotProve, match="the journal has 5 records"):
        prove_inclusion(torn, 4, *note(6))
