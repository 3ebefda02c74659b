"""Properties: whatever is done once to any journal, of any algorithm, is never answered with "whole"."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eve_proxy.interfaces import ISigner
from eve_proxy.model.certificate import GENESIS, LogLink
from eve_proxy.signing.canonical import content_hash
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_walk import Exit, Report, read_lines, walk
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from eve_proxy.signing.seal import seal
from tests.fakes.journal import draft
from tests.fakes.keys import ed25519, p256
from tests.fakes.ports import SECRET

SIGNERS: dict[str, Callable[[int], ISigner]] = {
    "hmac": lambda n: HmacSigner(SECRET * n),
    "ed25519": lambda n: Ed25519Signer(ed25519(n)),
    "p256": lambda n: P256Signer(p256(n)),
}
KINDS = st.sampled_from(["decision", "decision", "void", "suppressed", "recovered", "heartbeat", "session_open"])
SHAPES = st.lists(KINDS, max_size=5).map(lambda inner: ["session_open", *inner, "session_close"])


def sealed(kinds: list[str], signer: ISigner, *, log_id: str = "log_1", reason: str = "a reason – «é»") -> list[bytes]:
    """Lines with newlines."""
    lines: list[bytes] = []
    prev = GENESIS
    for number, kind in enumerate(kinds):
        changes = {} if kind == "decision" else {"kind": kind, "verdict": None, "record": {"n": number}}
        link = LogLink(id=log_id, seq=number, prev=prev)
        certificate = seal(draft(number, reason=reason, **changes), link, signer)
        prev = certificate.content_hash
        lines.append(certificate.line + b"\n")
    return lines


def examine(content: bytes, signer: ISigner) -> Report:
    return walk(read_lines(io.BytesIO(content)), [signer])


def spell(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


algorithms = pytest.mark.parametrize("algorithm", SIGNERS)


@algorithms
@given(data=st.data(), kinds=SHAPES)
def test_untouched_is_whole(algorithm: str, data: st.DataObject, kinds: list[str]) -> None:
    """The properties below would hold of a verifier that never says whole: this one does."""
    signer = SIGNERS[algorithm](1)
    assert examine(b"".join(sealed(kinds, signer)), signer).exit is Exit.WHOLE


@algorithms
@given(data=st.data(), kinds=SHAPES)
def test_any_byte(algorithm: str, data: st.DataObject, kinds: list[str]) -> None:
    """Change, remove or add bytes anywhere."""
    signer = SIGNERS[algorithm](1)
    content = b"".join(sealed(kinds, signer))
    start = data.draw(st.integers(0, len(content)))
    end = min(len(content), start + data.draw(st.integers(0, 3)))
    put = data.draw(
        st.binary(max_size=3) | st.sampled_from([b" ", b"\n", b"\r", b"\t", b'"', b"\\", b"0", b"\xc3\xa9"])
    )
    changed = content[:start] + put + content[end:]
    assume(changed != content)
    assert examine(changed, signer).exit in (Exit.TAMPERED, Exit.UNPROVEN, Exit.UNTRUSTED)


@algorithms
@given(data=st.data(), kinds=SHAPES)
def test_any_value_with_its_hash(algorithm: str, data: st.DataObject, kinds: list[str]) -> None:
    """Change a value and make the hash match: without the key the signature betrays it."""
    signer = SIGNERS[algorithm](1)
    lines = sealed(kinds, signer)
    at = data.draw(st.integers(0, len(lines) - 1))
    fields = json.loads(lines[at])
    name = data.draw(st.sampled_from(sorted(fields.keys() - {"content_hash", "signature"})))
    value = data.draw(st.sampled_from(["allow", "", None, 1, 0.5, True, [], {}]))
    assume(json.dumps(fields[name]) != json.dumps(value))
    fields[name] = value
    fields["content_hash"] = content_hash(fields)
    lines[at] = spell(fields)
    report = examine(b"".join(lines), signer)
    assert (report.exit, report.line) in {(Exit.TAMPERED, at + 1), (Exit.UNTRUSTED, at + 1)}
    assert report.exit is Exit.TAMPERED or name in ("key_id", "algorithm")


@algorithms
@given(data=st.data(), kinds=SHAPES)
def test_any_line(algorithm: str, data: st.DataObject, kinds: list[str]) -> None:
    """Drop, swap, repeat, move or insert lines: of this journal, of another one, of another history, of another key."""
    signer = SIGNERS[algorithm](1)
    lines = sealed(kinds, signer)
    foreign = [
        *sealed(kinds, signer, log_id="log_2"),
        *sealed(kinds, signer, reason="another history"),
        *sealed(kinds, SIGNERS[algorithm](2)),
    ]
    start = data.draw(st.integers(0, len(lines)))
    end = data.draw(st.integers(start, len(lines)))
    put = data.draw(st.lists(st.sampled_from([*lines, *foreign]), max_size=3) | st.permutations(lines[start:end]))
    changed = [*lines[:start], *put, *lines[end:]]
    # Exchanged as a whole it is another journal, and no longer a change of this one.
    assume(changed != lines and (start, end) != (0, len(lines)) and changed[:1] == lines[:1])
    assert examine(b"".join(changed), signer).exit in (Exit.TAMPERED, Exit.UNPROVEN, Exit.UNTRUSTED)


@algorithms
@given(data=st.data(), kinds=SHAPES)
def test_any_cut(algorithm: str, data: st.DataObject, kinds: list[str]) -> None:
    """What is cut off the end leaves a prefix whose end is not proven, and no more than that is said."""
    signer = SIGNERS[algorithm](1)
    content = b"".join(sealed(kinds, signer))
    report = examine(content[: data.draw(st.integers(0, len(content) - 1))], signer)
    assert (report.exit, report.fault) == (Exit.UNPROVEN, "truncated")
