"""The detectors of secrets that leave: well-known formats, and random values next to the name of a key."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import Final

import re2

from eve_proxy.pdp.assembly.vocabulary import bytes_options
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.reading import glance, percent_decoded
from eve_proxy.pdp.secrets.formats import FORMATS

# Hits that one text may have before it is let go: every one of them was an example or on its way home.
MOST_HITS: Final = 256
_EXAMPLE: Final = re2.compile(rb"(?i)example|xxxx|0000000|1234567|abcdefgh|your|placeholder|changeme|redacted|\*\*\*")
_FORMATS: Final = re2.compile(b"|".join([b"(" + row.pattern + b")" for row in FORMATS]), bytes_options())
_ONE_PASS = bytes_options()
_ONE_PASS.never_capture = True
_ANY: Final = re2.compile(b"|".join([row.pattern for row in FORMATS]), _ONE_PASS)
_NAMED: Final = re2.compile(
    rb"(?i)(?:secret|passw(?:or)?d|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?token|access[_-]?token|credential)"
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
        for hit in islice(_FORMATS.finditer(text), MOST_HITS):
            homes = FORMATS[hit.lastindex - 1].homes
            at_home = any(host == home or host.endswith("." + home) for home in homes)
            if not at_home and not _EXAMPLE.search(hit.group()):
                return True
        return False


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
    if not 0 < letters < len(value) or _EXAMPLE.search(value):
        return False
    return entropy(value) >= _LEAST_BITS


def entropy(value: bytes) -> float:
    """Shannon entropy of the bytes of ``value``, in bits a byte; 0 for nothing."""
    size = len(value)
    return -sum([count / size * math.log2(count / size) for count in Counter(value).values()])
