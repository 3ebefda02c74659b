"""The detector of pillar 89: a protected term in disguise."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import re2

from eve_proxy.pdp.assembly.windows import is_binary, without_data
from eve_proxy.pdp.lexicon import Lexicon, folded
from eve_proxy.pdp.obfuscation.folding import has_a_sign, openly, undisguised, unseen_messages
from eve_proxy.pdp.obfuscation.lookalikes import SOFT_HYPHEN, is_weak
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.reading import full_text, percent_decoded, with_escapes_read

# Different spellings with a single weak sign (``cocaïne``), or with none, that one text may hold.
MOST_SPELLINGS: Final = 24
# Bytes of a text that is folded as a whole.
SHORT_TEXT: Final = 8 << 10
_SIZE: Final = 256 << 10
_OVERLAP: Final = 4 << 10
# Bytes on either side of a hit that tell text from data.
_AROUND: Final = 128
# Replacement characters that a character cut off at an end may leave.
_CUT_OFF: Final = 3
_OVERRIDE: Final = "\u202e".encode()
# Where a right-to-left override ends (UAX #9: the end of the paragraph, or what pops it).
_ENDS: Final = re2.compile("(?s)(?:[\n\r\u2029\u202c\u2069].*)".encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class UnicodeObfuscation:
    """Looks for protected words whose letters only look like it, hide something between them, or run backwards.

    :ivar disguised: the pattern of ``obfuscation.terms`` over look-alikes.
    :ivar leet: the one over digits and signs.
    """

    lexicon: Lexicon
    disguised: Any = field(repr=False)
    leet: Any = field(repr=False)

    def found_in(self, question: Question) -> bool:
        """True when the body or the URL of ``question`` carries a disguised term. Pure and linear."""
        if b"%" in question.path and self._in_text(percent_decoded(question.path)):
            return True
        body = question.body
        if not body:
            return False
        if any(_is_leet(hit) for hit in islice(self.leet.finditer(body), MOST_SPELLINGS)):
            return True
        if body.isascii() and not _may_be_escaped(body, question.content_type):
            return False
        return self._in_text(with_escapes_read(full_text(body, question.content_type)))

    def _in_text(self, text: bytes) -> bool:
        if text.isascii():
            return False
        if _OVERRIDE in text and self._reversed(text):
            return True
        if self._says(unseen_messages(text), b"") or (
            has_a_sign(text) and self._says(undisguised(text, short=SHORT_TEXT), text)
        ):
            return True
        spellings: set[bytes] = set()
        for start in range(0, max(len(text) - _OVERLAP, 1), _SIZE - _OVERLAP):
            if self._in_window(text[start : start + _SIZE].lower(), spellings):
                return True
        return False

    def _in_window(self, text: bytes, spellings: set[bytes]) -> bool:
        if text.isascii():
            return False
        for spelling in spellings:
            text = text.replace(spelling, b" ")
        while (hit := self.disguised.search(text)) is not None:
            spelling = hit.group(1)
            if _is_disguise(spelling):
                return True
            # The same spelling goes everywhere at once, so that repeating it gains nothing.
            text = text.replace(spelling, b" ")
            spellings.add(spelling)
            # Past the bound undisguised terms no longer count, disguised ones do.
            if len(spellings) > MOST_SPELLINGS:
                return self._crowded(text)
        return False

    def _crowded(self, text: bytes) -> bool:
        """Whether any line with something other than ASCII holds a disguise: the way when plain terms abound."""
        for line in text.splitlines():
            if not line.isascii():
                for number, hit in enumerate(self.disguised.finditer(line)):
                    if _is_disguise(hit.group(1)):
                        return True
                    if number > MOST_SPELLINGS:
                        break
        return False

    def _says(self, reading: bytes, shown: bytes) -> bool:
        """Whether ``reading`` says something harmful that ``shown`` does not say openly."""
        found = {one.key for one in self.lexicon.harm_in(folded(reading))} if reading else set()
        return bool(found) and not self.lexicon.plainly(folded(openly(shown))).issuperset(found)

    def _reversed(self, text: bytes) -> bool:
        pieces = [_ENDS.sub(b"", piece[:_OVERLAP]) for piece in text.split(_OVERRIDE)[1:2001]]
        turned = b"\n".join(pieces).decode("utf-8", "replace")[::-1].lower().encode("utf-8", "replace")
        return self.disguised.search(turned) is not None


def _may_be_escaped(body: bytes, content_type: bytes) -> bool:
    return (
        b"\\u" in body
        or b"&#" in body
        or b"\0" in body[:4]
        or b"multipart/" in content_type
        or (b"%" in body and b"x-www-form-urlencoded" in content_type)
    )


def _is_leet(hit: Any) -> bool:
    """Whether a third of the signs are letters still, not only those of hexadecimal numbers, and it stands in text."""
    spelling = hit.group()
    letters = [code for code in spelling if chr(code).isalpha()]
    if 3 * len(letters) < len(spelling.strip()) or all(chr(code) in "abcdefABCDEF" for code in letters):
        return False
    # Among random bytes every short word stands somewhere.
    around: bytes = hit.string[max(0, hit.start() - _AROUND) : hit.end() + _AROUND]
    return not is_binary(around) and _is_utf8(around) and spelling in without_data(around)


def _is_utf8(text: bytes) -> bool:
    """Whether ``text`` is, a character cut off at either end apart."""
    read = text.decode("utf-8", "replace")
    return "\ufffd" not in read[_CUT_OFF : len(read) - _CUT_OFF]


def _is_disguise(spelling: bytes) -> bool:
    if spelling.isascii():
        return False
    odd = [character for character in spelling.decode("utf-8", "replace") if not character.isascii()]
    odd = [character for character in odd if not character.isspace() and not "\u2010" <= character <= "\u2015"]
    hyphens = odd.count(SOFT_HYPHEN)
    if any(not is_weak(character) for character in odd):
        return True
    # Accents on two letters of an English term, or a hyphenation point after every other letter.
    return len(odd) - hyphens > 1 or hyphens * 3 > len(spelling) - 2 * hyphens
