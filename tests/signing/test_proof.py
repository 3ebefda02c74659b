"""Proofs as files: one that was altered anywhere holds no more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eve_proxy.signing.note import NotANote, NotSigned
from eve_proxy.signing.proof import (
    ConsistencyProof,
    InclusionProof,
    NotAProof,
    NotProven,
    check_consistency,
    check_inclusion,
    parse_proof,
)
from eve_proxy.signing.proving import prove_consistency, prove_inclusion
from eve_proxy.signing.spelling import Unacceptable
from tests.fakes.parties import KEYS, PROXY, WITNESS
from tests.signing.test_proving import LINES, note

INCLUSION = prove_inclusion(LINES, 5, *note(11))
CONSISTENCY = prove_consistency(LINES, note(6)[0], *note(11))
KEPT = note(6)[1]
REFUSED = (NotAProof, NotProven, NotSigned, NotANote, Unacceptable)


def holds(data: bytes, kept: bytes = KEPT) -> bool:
    try:
        proof = parse_proof(data)
        if isinstance(proof, InclusionProof):
            check_inclusion(proof, [PROXY])
        else:
            check_consistency(proof, kept, [PROXY])
    except REFUSED:
        return False
    return True


def test_forms() -> None:
    """The files are those of c2sp.org/tlog-proof and c2sp.org/tlog-witness."""
    head = INCLUSION.to_bytes().split(b"\n")
    assert (head[0], head[1][:6], head[2]) == (b"c2sp.org/tlog-proof@v1", b"extra ", b"index 5")
    assert CONSISTENCY.to_bytes().startswith(b"old 6\n")
    assert parse_proof(INCLUSION.to_bytes()) == INCLUSION
    assert parse_proof(CONSISTENCY.to_bytes()) == CONSISTENCY
    assert holds(INCLUSION.to_bytes())
    assert holds(CONSISTENCY.to_bytes())


@given(st.sampled_from([INCLUSION, CONSISTENCY]), st.data())
def test_one_altered_byte(proof: InclusionProof | ConsistencyProof, data: st.DataObject) -> None:
    """Whatever byte of a proof is changed, it is refused."""
    whole = bytearray(proof.to_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(whole[place] != byte)
    whole[place] = byte
    assert not holds(bytes(whole))


@given(st.data())
def test_one_altered_byte_of_the_earlier_checkpoint(data: st.DataObject) -> None:
    """The checkpoint that was kept has to be the one that was signed."""
    kept = bytearray(KEPT)
    place = data.draw(st.integers(0, len(kept) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(kept[place] != byte)
    kept[place] = byte
    assert not holds(CONSISTENCY.to_bytes(), bytes(kept))


def test_the_keys_decide() -> None:
    """A good proof under a key that is not trusted proves nothing; nor does a record signed by another."""
    with pytest.raises(NotSigned) as refused:
        check_inclusion(INCLUSION, [WITNESS])
    assert not refused.value.forged
    with pytest.raises(NotSigned):
        check_consistency(CONSISTENCY, KEPT, [WITNESS])
    assert check_inclusion(INCLUSION, KEYS)[0]["log"]["seq"] == 5


def test_another_index_or_another_line() -> None:
    """A record is proven at its own place only."""
    with pytest.raises(NotProven, match="does not lead from the line"):
        check_inclusion(replace(INCLUSION, index=4), [PROXY])
    with pytest.raises(NotProven):
        check_inclusion(replace(INCLUSION, line=LINES[4][:-1]), [PROXY])
    with pytest.raises(NotProven):
        check_inclusion(replace(INCLUSION, path=INCLUSION.path[:-1]), [PROXY])


def test_another_size_than_the_one_that_was_kept() -> None:
    """A consistency proof is for one pair of checkpoints."""
    with pytest.raises(NotProven, match="for a checkpoint of 6 lines, not of 7"):
        check_consistency(CONSISTENCY, note(7)[1], [PROXY])
    with pytest.raises(NotProven, match="of different journals"):
        check_consistency(CONSISTENCY, note(6, log_id="log_ffffffffffffffff")[1], [PROXY])


@pytest.mark.parametrize(
    "fault",
    [
        b"",
        b"old 6",
        b"old 06\n\n",
        b"old -6\n\n",
        b"new 6\n\n",
        b"old 6\nAAAA\n\n",
        b"old 6\n!\n\n",
        b"old 6\n" + b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 129 + b"\n",
        b"old 6\xff\n\n",
        b"c2sp.org/tlog-proof@v1\n\n",
        b"c2sp.org/tlog-proof@v1\nindex 5\n\n",
        b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex x\n\n",
        b"c2sp.org/tlog-proof@v1\nextra AAB=\nindex 5\n\n",
        b"c2sp.org/tlog-proof@v2\nextra AAAA\nindex 5\n\n",
        b"old 6\n\n" + b"x" * (1 << 20),
    ],
)
def test_what_is_no_proof(fault: bytes) -> None:
    """A file of another form is refused before anything is computed."""
    with pytest.raises(NotAProof):
        parse_proof(fault)
