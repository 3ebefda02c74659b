"""Verifying a journal: after any edit the walk says exactly up to where the file is what was written.

The first byte chooses: the input is a journal, or a series of edits of one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Final

from eve_proxy.signing.journal_walk import LONGEST as LONGEST_LINE
from eve_proxy.signing.journal_walk import Exit, read_lines, walk
from eve_proxy.signing.verification import keys_from
from fuzz.choices import Choices
from fuzz.corpora import VECTORS
from fuzz.signed import FOREIGN, JOURNALS, LINES, LOOSE, SECRET, edited, edited_bytes, rehash

LONGEST: Final = 12_000
DICTIONARY: Final = (
    *(b"\n", b"\r\n", b"\n\n", b'"seq":', b'"prev":"sha256-', b'"kind":"session_close"', b'"kind":"session_open"'),
    *(b'"log":null', b'"log":{"id":"log_a","seq":0,"prev":"sha256-', b'"verdict":"allow"', b'"verdict":"block"', b" "),
)

_KEYS: Final = keys_from(SECRET)
_POOL: Final = (*LINES, *FOREIGN, LOOSE)
_OF_THE_TEXT: Final = ("edited", "respaced", "duplicate-keys", "untrusted-key")
_MISSING: Final = ("swapped", "dropped")


def seeds() -> Iterator[bytes]:
    """Our journals and the vectors as they are, and series of edits."""
    for journal in (*JOURNALS, FOREIGN):
        yield b"\x00" + b"".join(line + b"\n" for line in journal)
    for path in sorted((VECTORS / "hmac").glob("*.jsonl")):
        yield b"\x00" + path.read_bytes()
    first, second, *_ = JOURNALS[0]
    end = second.index(b'"', second.index(b'"signature":"') + 13) - 1
    other = b"0" if second[end : end + 1] != b"0" else b"1"
    nearly = second[:end] + other + second[end + 1 :]  # the signature's last digit is another one
    yield b"\x00" + b"".join(line + b"\n" for line in (first, nearly))
    for how in range(12):
        for at in range(4):
            yield bytes((1, at, how, at + 1, at + 2, 0, 3, how + 1, 2, 1, 0, 5))


def examine(data: bytes) -> None:
    """Walk it, and compare with what is known to have been written."""
    choices = Choices(data)
    raw = choices.rest() if choices.below(2) == 0 else _edited(choices)
    report = walk(read_lines(io.BytesIO(raw)), _KEYS)
    written, rest = _genuine(raw)
    assert report.records == len(written), "lines that were not written there count as verified, or the reverse"
    assert sum(report.kinds.values()) == report.records
    if not rest:
        closed = bool(written) and json.loads(written[-1])["kind"] == "session_close"
        assert report.exit is (Exit.WHOLE if closed else Exit.UNPROVEN), "the end"
        assert (report.line, report.fault) == (None, None if closed else "truncated")
        external = walk(read_lines(io.BytesIO(raw)), _KEYS, require_external=True)
        assert external.exit is Exit.UNPROVEN
        return
    assert report.line == len(written) + 1, "another line than the first faulty one is named"
    line, newline, _ = rest.partition(b"\n")
    if not newline and len(rest) < LONGEST_LINE:
        assert (report.exit, report.fault) == (Exit.UNPROVEN, "truncated"), "a torn last line"
        return
    assert report.exit in (Exit.TAMPERED, Exit.UNTRUSTED), "a faulty line is not reported"
    names = _names(line, written) if line in LINES else _OF_THE_TEXT
    assert report.fault in names, f"named {report.fault}, not one of {names}"
    if report.exit is Exit.UNTRUSTED:
        named = json.loads(line)
        assert (named["key_id"], named["algorithm"]) != (_KEYS[0].key_id, "HMAC-SHA256"), "the key is the trusted one"
    # A line that is missing is never called swapped, and the reverse.
    if report.fault in _MISSING:
        if _comes_later(rest, json.loads(line)["log"]["id"], len(written)):
            assert report.fault == "swapped"
        elif report.fault == "swapped":
            # Only named so: a record that says it is the missing one comes later, whoever made it.
            assert b'"seq":%d' % len(written) in rest.partition(b"\n")[2]


def _names(line: bytes, written: list[bytes]) -> tuple[str, ...]:
    """What a genuine line may be called that stands where another one belongs."""
    log = json.loads(line)["log"]
    if log is None or (written and log["id"] != json.loads(written[0])["log"]["id"]) or log["seq"] == len(written):
        return ("inserted",)
    return _MISSING if log["seq"] > len(written) else ("duplicated",)


def _genuine(raw: bytes) -> tuple[list[bytes], bytes]:
    """The lines that stand where they were written, and what follows them."""
    best: tuple[list[bytes], bytes] = ([], raw)
    for journal in JOURNALS:
        rest = raw
        lines: list[bytes] = []
        for line in journal:
            if not rest.startswith(line + b"\n"):
                break
            lines.append(line)
            rest = rest[len(line) + 1 :]
        if len(lines) > len(best[0]):
            best = lines, rest
    return best


def _comes_later(rest: bytes, log_id: str, seq: int) -> bool:
    logs = [json.loads(line)["log"] for line in rest.split(b"\n")[1:] if line in LINES]
    return any(log is not None and (log["id"], log["seq"]) == (log_id, seq) for log in logs)


def _edited(choices: Choices) -> bytes:
    lines = list(choices.of(JOURNALS))
    for _ in range(1 + choices.below(4)):
        _edit(choices, lines)
    raw = b"".join(line + b"\n" for line in lines)
    how = choices.below(8)
    if how == 1:
        raw = raw[: choices.below(len(raw) + 1)]
    elif how == 2:
        raw = raw.replace(b"\n", b"\r\n")
    elif how == 3:
        raw += choices.rest()
    elif how == 4:
        raw = raw[:-1]
    return raw


def _edit(choices: Choices, lines: list[bytes]) -> None:
    at = choices.below(len(lines) + 1)
    how = choices.below(12)
    if how == 0:
        lines.insert(at, choices.of(_POOL))
    elif how == 1:
        lines.insert(at, choices.take(choices.below(64)))
    elif at == len(lines):
        del lines[choices.below(len(lines) + 1) :]
    elif how == 2:
        del lines[at]
    elif how == 3:
        other = choices.below(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif how == 4:
        lines.insert(choices.below(len(lines)), lines[at])
    elif how == 5:
        lines[at] = choices.of(_POOL)
    elif how == 6:
        _rewrite(choices, lines, at)
    elif how == 7:
        lines[at] += lines.pop(at + 1) if at + 1 < len(lines) else b" "
    elif how == 8:
        lines[:] = lines[at:]
    else:
        lines[at] = edited_bytes(choices, lines[at])


def _rewrite(choices: Choices, lines: list[bytes], at: int) -> None:
    """What somebody without the key can do best: edit a record, then make every later hash and link fit."""
    try:
        value = edited(choices, json.loads(lines[at]))
        rehash(value)
        lines[at] = _spelled(value)
        for later in range(at + 1, len(lines)):
            following = json.loads(lines[later])
            following["log"]["prev"] = value["content_hash"]
            rehash(following)
            lines[later] = _spelled(following)
            value = following
    except (ValueError, KeyError, TypeError):
        return


def _spelled(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
