"""Certificates and journals that really were signed, and what an attacker without the key can make of them."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any, Final

import rfc8785

from eve_proxy.model.certificate import GENESIS, Draft, LogLink, RequestDigest
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from fuzz.choices import Choices
from fuzz.corpora import VECTORS

SECRET: Final = b"fuzz targets only: never sign with this"
OTHER_SECRET: Final = b"fuzz targets only: of somebody else"

_STRANGE: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 0.0, -0.0, 0.5, 0.0005, 1e16, 2**53, 2**63, 2**64, float("nan"), float("inf")),
    *("", "0", "null", "\0", "\ud800", "e\u0301", "x" * 5000, [], [1], {}, {"a": 1}, {"a": {"b": []}}),
)
_NAMES: Final = ("verdict", "signature", "content_hash", "kind", "log", "extra", "__class__", "", "é")


def _draft(number: int, **changes: Any) -> Draft:
    values: dict[str, Any] = {
        "certificate_id": f"cert_{number:016x}",
        "verdict": "allow",
        "reason": "allowed by policy",
        "matched_pillar": None,
        "matched_vector": None,
        "caller": "sidecar.forward_proxy.egress",
        "org_id": "default",
        "latency_ms": 1.5,
        "timestamp": f"2026-04-16T14:22:03.{number:03d}Z",
        "request": RequestDigest(method="GET", scheme="http", host="example.com", port=80, path_sha256="0" * 64),
        "coverage": "full",
    }
    return Draft(**(values | changes))


def _journal(log_id: str, reason: str, secret: bytes = SECRET) -> list[bytes]:
    """Six lines, the last two a second session. The first two are the same for every ``reason``."""
    drafts = [
        _draft(0, kind="session_open", verdict=None, request=None, record={"pid": 1, "since": {"a": [1, 2]}}),
        _draft(1, latency_ms=2),
        _draft(2, reason=reason, verdict="block", matched_pillar="128", matched_vector="706"),
        _draft(3, kind="session_close", verdict=None, request=None, record={}),
        _draft(4, kind="session_open", verdict=None, request=None, record={"pid": 2}),
        _draft(5, reason="délai dépassé \U0001f512", verdict="fail_closed"),
        _draft(6, kind="session_close", verdict=None, request=None, record={}),
    ]
    link = LogLink(id=log_id, seq=0, prev=GENESIS)
    lines = []
    for number, draft in enumerate(drafts):
        certificate = seal(draft, link, HmacSigner(secret))
        lines.append(certificate.line)
        link = LogLink(id=log_id, seq=number + 1, prev=certificate.content_hash)
    return lines


# The same journal in two histories, another one, and the one of the published vectors' shape.
JOURNALS: Final = (_journal("log_a", "blocked"), _journal("log_a", "vetoed"), _journal("log_b", "blocked"))
FOREIGN: Final = _journal("log_a", "blocked", OTHER_SECRET)
LOOSE: Final = seal(_draft(9, verdict="fail_closed"), None, HmacSigner(SECRET)).line
LINES: Final = tuple(dict.fromkeys([line for journal in JOURNALS for line in journal] + [LOOSE]))
CERTIFICATES: Final[tuple[dict[str, Any], ...]] = tuple(json.loads(line) for line in LINES)
# What verifies as text: a line, or a line with everything that is not ASCII escaped.
TEXTS: Final = frozenset(LINES) | {json.dumps(each, separators=(",", ":")).encode() for each in CERTIFICATES}
VECTOR_FILES: Final = tuple(sorted((VECTORS / "hmac").glob("*.json*")))


def edited(choices: Choices, original: dict[str, Any]) -> dict[str, Any]:
    """A copy of a certificate with up to four edits of its members; perhaps with the hash that belongs to them.

    The signature is all that an attacker cannot make: everything else is within reach.
    """
    value = copy.deepcopy(original)
    for _ in range(choices.below(5)):
        _edit(choices, value)
    if choices.flag():
        rehash(value)
    return value


def rehash(value: dict[str, Any]) -> None:
    """Put in the ``content_hash`` that the other members have, by the standard's own implementation."""
    covered = {key: member for key, member in value.items() if key not in ("content_hash", "signature")}
    try:
        value["content_hash"] = "sha256-" + hashlib.sha256(rfc8785.dumps(covered)).hexdigest()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return


def _edit(choices: Choices, value: dict[str, Any]) -> None:
    objects = [value, *[member for member in value.values() if isinstance(member, dict)]]
    target = choices.of(objects)
    if not target:
        target[choices.of(_NAMES)] = copy.deepcopy(choices.of(_STRANGE))
        return
    names = sorted(target)
    name = choices.of(names)
    how = choices.below(8)
    member = target[name]
    if how == 0:
        target[name] = copy.deepcopy(choices.of(_STRANGE))
    elif how == 1:
        del target[name]
    elif how == 2:
        target[choices.of(_NAMES)] = target.pop(name)
    elif how == 3:
        target[choices.of(_NAMES)] = copy.deepcopy(choices.of(_STRANGE))
    elif how == 4:
        other = choices.of(names)
        target[name], target[other] = target[other], member
    elif how == 5:
        twin = choices.of(CERTIFICATES)
        target[name] = copy.deepcopy(twin.get(name, member))
    elif isinstance(member, str):
        target[name] = edited_text(choices, member)
    elif isinstance(member, int | float):
        target[name] = choices.of((member + 1, -member, float(member), member + 0.001, bool(member), str(member)))
    else:
        target[name] = choices.text()


def edited_text(choices: Choices, text: str) -> str:
    """``text`` with one edit."""
    at = choices.below(len(text) + 1)
    how = choices.below(6)
    if how == 0:
        return text[:at]
    if how == 1:
        return text[:at] + text[at + 1 :]
    if how == 2:
        return text.upper()
    if how == 3:
        return text[:at] + text[at:].swapcase()
    if how == 4:
        return choices.of((text + " ", " " + text, text + "\0", text + text, ""))
    return text[:at] + choices.text(4) + text[at + 1 :]


def edited_bytes(choices: Choices, raw: bytes) -> bytes:
    """``raw`` with one edit of its spelling, its length at least."""
    at = choices.below(len(raw) + 1)
    how = choices.below(6)
    if how == 0:
        return raw[:at]
    if how == 1:
        return raw[:at] + raw[at + 1 + choices.below(16) :]
    if how == 2:
        return raw[:at] + choices.take(1) + raw[at + 1 :]
    if how == 3:
        return raw[:at] + choices.take(choices.below(16)) + raw[at:]
    if how == 4:
        # JSON's other spelling of the same character.
        return raw[:at] + b"\\u%04x" % raw[at] + raw[at + 1 :] if at < len(raw) else raw
    # A member that occurs twice, or white space between two.
    comma = raw.find(b",", at)
    more = choices.of((b" ", b'"verdict":"allow",', b'"log":null,', b"\n", b"\t", b'"signature":"",'))
    return raw[: comma + 1] + more + raw[comma + 1 :]


def same(left: Any, right: Any) -> bool:
    """Two JSON values are one: numbers by value, never a number for a truth value."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)
