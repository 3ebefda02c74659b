"""The detector of pillar 128b: something asks for decoding, and decoding gives what nobody may ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import re2

from eve_proxy.pdp.assembly.windows import is_binary, windows, without_data
from eve_proxy.pdp.lexicon import APART, Lexicon, bytes_options, compared, folded
from eve_proxy.pdp.ordinal.alphabets import ATBASH, SHIFTS, braille, morse, placed, spelled
from eve_proxy.pdp.ordinal.encodings import base85, decoded, listed
from eve_proxy.pdp.ordinal.intent import asks_to_decode, names_a_cipher, reads_backwards
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.reading import full_text, glance, percent_decoded, with_escapes_read

LAYERS: Final = 3
# Bytes of decoded text in which two everyday words near each other say something.
SHORT_TEXT: Final = 8 << 10
_SHORTEST: Final = 7
# Of thirty ciphers one makes a shorter word by accident.
_LEAST_SHIFTED: Final = 4
# What decoding left must look like text to be decoded again.
_MORE: Final = re2.compile(
    rb"[A-Za-z0-9+/_-]{8}|(?:[0-9]{1,3}[^0-9]{1,8}){4}|%[0-9a-fA-F]{2}|\\[xu]|&#", bytes_options()
)


# The same of a long text, where random bytes must hardly ever do.
_MORE_INSIDE: Final = re2.compile(rb"[A-Za-z0-9+/_-]{12}|(?:%[0-9a-fA-F]{2}){4}", bytes_options())
_BYTE_ESCAPE: Final = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([0-3]?[0-7]{2}))")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinalQuine:
    """Looks for harm in number lists, encodings and ciphers that the text asks to decode.

    :ivar ciphered: finds the terms under every cipher without a key (``skimming.under_ciphers``).
    :ivar coded: finds them in every list of codes (``skimming.in_codes``).
    """

    lexicon: Lexicon
    ciphered: Any = field(repr=False)
    coded: Any = field(repr=False)

    def found_in(self, question: Question) -> bool:
        """True when the body or the query of ``question`` carries encoded harm. Pure and linear."""
        _, mark, query = question.path.partition(b"?")
        if mark and len(query) > 11 and self._in_text(percent_decoded(query), lambda text: text):
            return True
        body, content_type = question.body, question.content_type
        if not body:
            return False
        return self._in_text(glance(body, content_type), lambda _: full_text(body, content_type))

    def _in_text(self, seen: bytes, read: Callable[[bytes], bytes]) -> bool:
        if not asks_to_decode(seen):
            return False
        text = read(seen)
        asked = _Asked(cipher=names_a_cipher(text), backwards=reads_backwards(text))
        return any(
            self._in_window(window, asked, within=number > 0) if closely else self._skimmed(window, asked)
            for number, (closely, window) in enumerate(windows(text))
        )

    def _skimmed(self, text: bytes, asked: _Asked) -> bool:
        """A window inside a long text: encodings are undone in a row, all else is found as it stands, terms only."""
        if is_binary(text):
            return False
        shown = _Shown(self.lexicon, text)
        if self.coded.search(text) is not None:
            return True
        if asked.cipher and self.ciphered.search(compared(without_data(text))) is not None:
            return True
        part = text
        for number in range(LAYERS):
            rows = [one.row for one in decoded(part, within=not number, apart=False)]
            if any(shown.hides(row, short=False) for row in rows):
                return True
            part = b"\n".join([row for row in rows if _MORE_INSIDE.search(row)])
            if not part:
                break
        return False

    def _in_window(self, text: bytes, asked: _Asked, *, within: bool) -> bool:
        if is_binary(text):
            return False
        short = len(text) <= SHORT_TEXT
        shown = _Shown(self.lexicon, text)
        words = without_data(text)
        if asked.cipher:
            if self.ciphered.search(folded(words)) is not None:
                return True
            moved = (words.translate(table) for table in (*SHIFTS, ATBASH)) if short else ()
            if any(shown.hides(one, short=True, least=_LEAST_SHIFTED) for one in moved):
                return True
        if any(shown.hides(one, short=short) for one in _alphabets(words)):
            return True
        layer = [text, text[::-1]] if asked.backwards else [text]
        if short and b"\n" in text:
            # What was wrapped into lines anywhere is one run again.
            layer.append(text.replace(b"\r", b"").replace(b"\n", b""))
        for number in range(LAYERS):
            found = [one for part in layer for one in _decoded(part, within=within and not number)]
            if any(shown.hides(one, short=short or apart) for apart, one in found):
                return True
            rows = [row for apart, one in found if (row := _legible(one, apart=apart))]
            if short and any(shown.hides(one, short=True) for row in rows for one in _turned(row)):
                return True
            layer = [row for row in rows if _MORE.search(row)]
        return False


def _legible(text: bytes, *, apart: bool) -> bytes:
    """What of a result looks like text that may hold more; empty when nothing does."""
    if apart:
        text = b"\n".join(
            [run for run in text.split(APART) if len(run) > _SHORTEST and not is_binary(run) and run.isascii()]
        )
    return text if len(text) > _SHORTEST and not is_binary(text) else b""


def _turned(text: bytes) -> Iterator[bytes]:
    """``text`` as it is under a second, simple layer."""
    yield text[::-1]
    yield text.translate(SHIFTS[12])
    yield text.translate(ATBASH)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a text may speak of, besides decoding."""

    cipher: bool
    backwards: bool


class _Shown:
    """What a text shows openly, worked out when it is first needed."""

    def __init__(self, lexicon: Lexicon, text: bytes) -> None:
        self._lexicon = lexicon
        self._text = text
        self._openly: frozenset[bytes] | None = None

    def hides(self, made: bytes, *, short: bool, least: int = 0) -> bool:
        """Whether ``made``, which was made of the text, says something harmful that the text does not."""
        reading = (folded if short else compared)(made).replace(b"\0", b" ")
        for found in self._lexicon.harm_in(reading) if short else self._lexicon.terms_in(reading):
            if self._openly is None:
                self._openly = self._lexicon.plainly(folded(self._text))
            if len(found.key) >= least and found.key not in self._openly:
                return True
        return False


def _alphabets(text: bytes) -> Iterator[bytes]:
    yield from (one for one in (morse(text), braille(text), spelled(text)) if one)
    places = list(placed(text))
    if places:
        yield b"\n".join(places)


def _decoded(text: bytes, *, within: bool) -> Iterator[tuple[bool, bytes]]:
    """Each result, and whether it consists of runs that are set apart."""
    for one in decoded(text, within=within):
        yield False, one.row
        if one.apart:
            yield True, one.apart
    if b"\\" in text or b"&#" in text:
        # Escapes that stay after JSON was read are a list of code points like any other.
        yield False, _simple_escapes(with_escapes_read(text))
    if b"85" in text:
        yield from ((True, one.row) for one in base85(text))
    yield from ((False, one.row) for one in listed(text))


def _simple_escapes(text: bytes) -> bytes:
    """``\\x41`` and ``\\101`` read as well, as C and shells write bytes."""
    if b"\\" not in text:
        return text
    return _BYTE_ESCAPE.sub(lambda hit: bytes([int(hit[1], 16) if hit[1] else int(hit[2], 8) & 0xFF]), text)
