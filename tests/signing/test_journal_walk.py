"""Walking a journal: every way to tamper with one, and what the auditor is told."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eve_proxy.interfaces import ISigner
from eve_proxy.model.certificate import GENESIS, LogLink
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_walk import Exit, Report, read_lines, walk
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from eve_proxy.signing.seal import seal
from eve_proxy.signing.verification import keys_from
from tests.fakes.journal import draft
from tests.fakes.keys import ed25519, p256
from tests.fakes.ports import SECRET

OTHER = b"another secret of the tests, as long"
KINDS = ["session_open", "decision", "decision", "void", "suppressed", "decision", "session_close"]


def journal(kinds: list[str] = KINDS, *, secret: bytes = SECRET, log_id: str = "log_1", start: int = 0) -> list[bytes]:
    """Lines with newlines."""
    signer = HmacSigner(secret)
    lines: list[bytes] = []
    prev = GENESIS
    for number, kind in enumerate(kinds, start=start):
        changes = {} if kind == "decision" else {"kind": kind, "verdict": None, "record": {}}
        certificate = seal(draft(number, reason=log_id, **changes), LogLink(id=log_id, seq=number, prev=prev), signer)
        prev = certificate.content_hash
        lines.append(certificate.line + b"\n")
    return lines


GOOD = journal()
KEYS = keys_from(SECRET)


def examine(lines: list[bytes], **options: bool) -> Report:
    return walk(read_lines(io.BytesIO(b"".join(lines))), KEYS, **options)


def test_whole_journal() -> None:
    """A journal that nobody touched answers 0, and says against whom its end is proven."""
    report = examine(GOOD)
    assert (report.exit, report.fault, report.line, report.records) == (Exit.WHOLE, None, None, 7)
    assert report.proven_against == "accident"
    assert report.kinds == {"session_open": 1, "decision": 3, "void": 1, "suppressed": 1, "session_close": 1}
    assert report.verdicts == {"allow": 3}
    assert report.head is not None
    assert report.head.seq == 7


def test_external_proof_may_be_required() -> None:
    """An auditor who does not trust the key's holder can refuse the journal's own word for its end."""
    report = examine(GOOD, require_external=True)
    assert (report.exit, report.fault, report.proven_against) == (Exit.UNPROVEN, "self-proven", "accident")


def test_killed_and_restarted_journal() -> None:
    """A session that ended without a close, in the middle of the file, is no fault: the chain goes on."""
    kinds = ["session_open", "decision", "session_open", "recovered", "decision", "session_close"]
    assert examine(journal(kinds)).exit is Exit.WHOLE


def test_unknown_kinds_are_welcome() -> None:
    """Records that a later version adds do not break today's verifier."""
    assert examine(journal(["session_open", "heartbeat", "checkpoint", "session_close"])).exit is Exit.WHOLE


def edit(number: int, old: bytes, new: bytes) -> Callable[[list[bytes]], list[bytes]]:
    assert old in GOOD[number]
    return lambda lines: [*lines[:number], lines[number].replace(old, new, 1), *lines[number + 1 :]]


FOREIGN = journal(log_id="log_2")
FORK = journal(["session_open", "decision", "decision", "decision", "session_close"])
FORK[2:] = journal(["session_open", "void", "decision", "decision", "session_close"])[2:]

TAMPERED = {
    "edited": (edit(2, b'"verdict":"allow"', b'"verdict":"block"'), 3, "edited"),
    "first line edited": (edit(0, b"acme", b"evil"), 1, "edited"),
    "signature": (edit(2, b'"signature":"hmac-', b'"signature":"hmac-0'), 3, "edited"),
    "respaced": (edit(2, b":", b": "), 3, "respaced"),
    "carriage return": (edit(2, b"\n", b"\r\n"), 3, "respaced"),
    "duplicate keys": (edit(2, b'"verdict":"allow"', b'"verdict":"allow","verdict":"allow"'), 3, "duplicate-keys"),
    "dropped": (lambda lines: lines[:2] + lines[3:], 3, "dropped"),
    "first line dropped": (lambda lines: lines[1:], 1, "dropped"),
    "swapped": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3, "swapped"),
    "swapped far": (lambda lines: [lines[0], lines[5], *lines[2:5], lines[1], lines[6]], 2, "swapped"),
    "moved to the end": (lambda lines: [*lines[:2], *lines[3:], lines[2]], 3, "swapped"),
    "reversed": (lambda lines: lines[::-1], 1, "swapped"),
    "duplicated": (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4, "duplicated"),
    "duplicated at the end": (lambda lines: [*lines, lines[-1]], 8, "duplicated"),
    "whole journal twice": (lambda lines: lines + lines, 8, "duplicated"),
    "spliced": (lambda lines: [*lines[:3], FOREIGN[3], *lines[4:]], 4, "inserted"),
    "two journals": (lambda lines: lines + FOREIGN, 8, "inserted"),
    "forked": (lambda lines: FORK, 3, "inserted"),
    "blank line": (lambda lines: [*lines[:3], b"\n", *lines[3:]], 4, "edited"),
    "garbage": (lambda lines: [*lines[:3], b"garbage\n", *lines[3:]], 4, "edited"),
    "garbage at the end": (lambda lines: [*lines, b"garbage\n"], 8, "edited"),
    "endless line": (lambda lines: [*lines[:3], b"x" * 100_000, *lines[3:]], 4, "edited"),
    "certificate without a place": (
        lambda lines: [*lines[:3], seal(draft(9), None, HmacSigner(SECRET)).line + b"\n", *lines[3:]],
        4,
        "inserted",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_names_the_line_and_the_fault(name: str) -> None:
    """Each way to tamper answers 1 with the first wrong line and what was done to it."""
    change, line, fault = TAMPERED[name]
    report = examine(change(GOOD))
    assert (report.exit, report.fault, report.line) == (Exit.TAMPERED, fault, line)
    assert report.records == line - 1
    assert report.detail


@pytest.mark.parametrize("keep", range(7))
def test_truncated_journal_is_not_whole(keep: int) -> None:
    """A journal whose end is missing is a valid prefix and no more."""
    report = examine(GOOD[:keep])
    assert (report.exit, report.fault, report.line, report.records) == (Exit.UNPROVEN, "truncated", None, keep)
    assert report.proven_against is None


@pytest.mark.parametrize("cut", [1, 2, 100])
def test_torn_last_line(cut: int) -> None:
    """A file that was cut in the middle of a line is a valid prefix; the line is named."""
    content = b"".join(GOOD)[:-cut]
    report = walk(read_lines(io.BytesIO(content)), KEYS)
    assert (report.exit, report.fault, report.line) == (Exit.UNPROVEN, "truncated", 7)


def test_wrong_key() -> None:
    """With the wrong secret the answer is that the key is not trusted, not that someone tampered."""
    report = examine(journal(secret=OTHER))
    assert (report.exit, report.fault, report.line) == (Exit.UNTRUSTED, "untrusted-key", 1)


Record = tuple[str, ISigner, dict[str, Any]]
OLD, NEW, THIRD = HmacSigner(SECRET), Ed25519Signer(ed25519()), P256Signer(p256())
TRUSTED = [OLD, NEW, THIRD]
ROTATES = {"key_id": NEW.key_id}


def signed(*records: Record) -> list[bytes]:
    """One log whose records have signers and details of their own."""
    lines: list[bytes] = []
    prev = GENESIS
    for number, (kind, signer, details) in enumerate(records):
        changes = {} if kind == "decision" else {"kind": kind, "verdict": None, "record": details}
        certificate = seal(draft(number, **changes), LogLink(id="log_1", seq=number, prev=prev), signer)
        prev = certificate.content_hash
        lines.append(certificate.line + b"\n")
    return lines


ROTATED = [
    ("session_open", OLD, {"previous_key_id": None}),
    ("decision", OLD, {}),
    ("key_rotation", OLD, ROTATES),
    ("decision", NEW, {}),
    ("key_rotation", NEW, {"key_id": THIRD.key_id}),
    ("session_close", THIRD, {}),
]


def test_rotated_while_it_ran() -> None:
    """A journal that changed from a secret to public keys verifies with all of them."""
    assert walk(iter(signed(*ROTATED)), TRUSTED).exit is Exit.WHOLE


def test_rotated_to_a_key_that_is_not_trusted() -> None:
    """Who has only the first key learns at which line, and which key to ask for."""
    report = walk(iter(signed(*ROTATED)), [OLD])
    assert (report.exit, report.fault, report.line, report.records) == (Exit.UNTRUSTED, "untrusted-key", 4, 3)
    assert NEW.key_id in report.detail


def test_changed_between_sessions() -> None:
    """A restart with another key is said in its session_open; a crash right after a rotation changes nothing."""
    opened = ("session_open", NEW, {"previous_key_id": OLD.key_id})
    for before in (ROTATED[:2], ROTATED[:3]):
        assert walk(iter(signed(*before, opened, ("session_close", NEW, {}))), TRUSTED).exit is Exit.WHOLE
    stayed = ("session_open", OLD, {"previous_key_id": None})
    assert walk(iter(signed(*ROTATED[:3], stayed, ("session_close", OLD, {}))), TRUSTED).exit is Exit.WHOLE


@pytest.mark.parametrize(
    "records",
    [
        [*ROTATED[:2], ("decision", NEW, {})],
        [*ROTATED[:3], ("decision", OLD, {})],
        [*ROTATED[:3], ("decision", THIRD, {})],
        [*ROTATED[:4], ("decision", OLD, {})],
        [*ROTATED[:2], ("key_rotation", NEW, {"key_id": NEW.key_id})],
        [*ROTATED[:2], ("session_open", NEW, {"previous_key_id": None})],
        [*ROTATED[:2], ("session_open", NEW, {"previous_key_id": THIRD.key_id})],
        [*ROTATED[:2], ("session_open", NEW, {})],
    ],
)
def test_a_key_that_nothing_announces(records: list[Record]) -> None:
    """A retired key cannot write the end of a log anew: that it is trusted for another part does not help it."""
    report = walk(iter(signed(*records)), TRUSTED)
    assert (report.exit, report.fault, report.line) == (Exit.TAMPERED, "key-changed", len(records))


def test_damaged_predecessor_is_named() -> None:
    """A journal that succeeds a damaged one says which."""
    opening = draft(0, kind="session_open", verdict=None, record={"damaged_sha256": "ab" * 32})
    line = seal(opening, LogLink(id="log_1", seq=0, prev=GENESIS), HmacSigner(SECRET)).line
    assert walk([line + b"\n"], KEYS).follows == ("ab" * 32,)


def test_counts_stay_bounded() -> None:
    """A hostile holder of the key cannot make the verifier hoard memory."""
    report = examine(journal([f"kind{number}" for number in range(100)]))
    assert len(report.kinds) == 33
    assert sum(report.kinds.values()) == 100


@given(st.data())
def test_any_single_change_is_reported(data: st.DataObject) -> None:
    """Edit, drop, swap, insert, duplicate or cut anything in any journal: the answer is never 0."""
    draw = data.draw
    inner = draw(st.lists(st.sampled_from(["decision", "decision", "void", "suppressed", "session_open"]), max_size=8))
    lines = journal(["session_open", *inner, "session_close"])
    content = b"".join(lines)
    place = draw(st.integers(0, len(lines) - 1))
    other = draw(st.integers(0, len(lines) - 1))
    change = draw(st.sampled_from(["byte", "remove", "add", "drop", "swap", "duplicate", "insert", "cut"]))
    if change == "byte":
        at, byte = draw(st.integers(0, len(content) - 1)), draw(st.integers(0, 255))
        assume(content[at] != byte)
        content = content[:at] + bytes([byte]) + content[at + 1 :]
    elif change == "remove":
        at = draw(st.integers(0, len(content) - 1))
        content = content[:at] + content[at + 1 :]
    elif change == "add":
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(min_size=1, max_size=3)) + content[at:]
    elif change == "drop":
        content = b"".join(lines[:place] + lines[place + 1 :])
    elif change == "swap":
        assume(place != other)
        lines[place], lines[other] = lines[other], lines[place]
        content = b"".join(lines)
    elif change == "duplicate":
        content = b"".join([*lines[:place], lines[other], *lines[place:]])
    elif change == "insert":
        content = b"".join([*lines[:place], journal(log_id="log_2")[other % 7], *lines[place:]])
    else:
        content = content[: draw(st.integers(0, len(content) - 1))]
    report = walk(read_lines(io.BytesIO(content)), KEYS)
    assert report.exit in (Exit.TAMPERED, Exit.UNPROVEN, Exit.UNTRUSTED)


def test_lines_are_read_in_bounded_pieces() -> None:
    """A file without newlines is not read into memory at once."""
    pieces = list(read_lines(io.BytesIO(b"x" * 20_000 + b"\nab")))
    assert max(map(len, pieces)) <= 4097
    assert b"".join(pieces) == b"x" * 20_000 + b"\nab"
