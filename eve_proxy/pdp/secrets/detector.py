"""The detectors of secrets that leave: well-known formats, and random values next to the name of a key."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import re2

from eve_proxy.pdp.lexicon import bytes_options
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.reading import glance, percent_decoded
from eve_proxy.pdp.secrets.checks import entropy, looks_drawn
from eve_proxy.pdp.secrets.formats import FORMATS, Format

# Hits that one text may have before it is let go: every one of them was an example or on its way home.
MOST_HITS: Final = 256
_FORMATS: Final = re2.compile(
    b"|".join([b"(" + row.pattern + b")" for row in FORMATS]), bytes_options(max_mem=64 << 20)
)
_ONE_PASS = bytes_options(max_mem=64 << 20)
_ONE_PASS.never_capture = True
_ANY: Final = re2.compile(b"|".join([row.pattern for row in FORMATS]), _ONE_PASS)
# What cannot be a secret by itself, at the end of an address of a database: this machine, or a name of documentation.
_LOCAL: Final = re2.compile(
    rb"^(?:localhost|127\.[0-9.]+|\[::1\]|0\.0\.0\.0|db|host|hostname|postgres|mysql|redis|mongo|rabbitmq|database"
    rb"|server"
    rb"|[a-z0-9.-]*\bexample\.[a-z]{2,8}|[a-z0-9.-]+\.example)(?:[:/?\s,\"']|$)",
    bytes_options(),
)
_NAMED: Final = re2.compile(
    rb"(?i)(?:secret|passw(?:or)?d|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?token|access[_-]?token"
    rb"|credential)"
    rb"[a-z_-]{0,20}[\"']?\s{0,4}(?:[:=]|=>)\s{0,4}[\"']?([A-Za-z0-9+/_.~-]{20,200})",
    bytes_options(),
)
_LEAST_BITS: Final = 3.6


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCredentials:
    """Looks for credentials by their form."""

    def found_in(self, question: Question) -> bool:
        """True when the body or URL of ``question`` carries one that does not belong to its host. Linear."""
        return self._in_text(question.path, question.host) or (
            bool(question.body) and self._in_text(glance(question.body, question.content_type), question.host)
        )

    def _in_text(self, text: bytes, host: str) -> bool:
        if _ANY.search(text) is None:
            return False
        return any(_is_leaving(hit, host) for hit in islice(_FORMATS.finditer(text), MOST_HITS))


def _is_leaving(hit: Any, host: str) -> bool:
    row = FORMATS[hit.lastindex - 1]
    if any(host == home or host.endswith("." + home) for home in row.homes):
        return False
    if row.beside not in hit.string:
        return False
    found = hit.group()
    if row.proof is not None and row.proof(found):
        return True
    if row.name == "database" and _LOCAL.search(hit.string[hit.end() : hit.end() + 64]):
        return False
    return looks_drawn(_secret(row, found))


def _secret(row: Format, found: bytes) -> bytes:
    """The part of a hit that was drawn."""
    trimmed = found.rstrip(b"@=")
    if not row.secret:
        return trimmed
    return trimmed[max(trimmed.rfind(bytes((mark,))) for mark in row.secret) + 1 :]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSecrets:
    """Looks for random values that are called a secret."""

    def found_in(self, question: Question) -> bool:
        """True when the body or query of ``question`` carries one. Linear."""
        _, _, query = question.path.partition(b"?")
        return self._in_text(percent_decoded(query)) or (
            bool(question.body) and self._in_text(glance(question.body, question.content_type))
        )

    def _in_text(self, text: bytes) -> bool:
        return any(_random(hit.group(1)) for hit in islice(_NAMED.finditer(text), MOST_HITS))


def _random(value: bytes) -> bool:
    """Whether ``value`` looks drawn at random: letters and digits, many different ones, no example."""
    letters = sum(map(bytes.isalpha, (value[at : at + 1] for at in range(len(value)))))
    return 0 < letters < len(value) and looks_drawn(value) and entropy(value) >= _LEAST_BITS
