"""The detector of pillar 128: instructions first, then every way to follow them, then what that says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from eve_proxy.pdp.assembly.cues import Cue, cues_in
from eve_proxy.pdp.assembly.definitions import definitions_of, resolved
from eve_proxy.pdp.assembly.items import listed, numbered, permuted
from eve_proxy.pdp.assembly.literals import in_a_row, literals_of, sliced
from eve_proxy.pdp.assembly.skimming import gapped, quoted, turned
from eve_proxy.pdp.assembly.spelling import backwards, initials, pieces_backwards, strided, unseparated
from eve_proxy.pdp.assembly.substitution import dictionary_of, filled, rewritten, rules_of, translated
from eve_proxy.pdp.assembly.windows import is_binary, plain, windows, without_data
from eve_proxy.pdp.assembly.words import ORDINARY, unusual
from eve_proxy.pdp.lexicon import APART, MOST_HITS, SEAM, Found, Lexicon, compared
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.reading import FORM, full_text, glance

# Bytes of a text in which two everyday words next to each other say something.
SHORT_TEXT: Final = 8 << 10
# Letters in a row that spell something by accident: where every letter of a text was set apart,
# where some were picked, and where there are few to pick from.
_CHANCE: Final = 5
_LUCK: Final = 6
_FEW: Final = 4
_FEW_LETTERS: Final = 1 << 10
# Bytes of a text whose lines are sentences of one message rather than of a page.
_PROMPT: Final = 2 << 10


class Evidence(Enum):
    """How a reading was made, and with it what a find is worth."""

    SEAMED = "pieces that were set apart are in a row: a cut is no accident"
    LOOSE = "honest text has such gaps as well: only uncommon pieces count"
    STRIPPED = "as LOOSE, and the text says to strip something: three pieces count as well"
    FRAGMENTS = "as LOOSE, and words next to each other mean nothing"
    TURNED = "another text: what stands there was hidden"
    PICKED = "another text, of single letters"


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolicAssembly:
    """Looks for what a text becomes when its own instructions are followed.

    A term that merely stands in the text is no assembly, and neither are fragments without instructions.
    """

    lexicon: Lexicon

    def found_in(self, question: Question) -> bool:
        """True when the body or the query of ``question`` carries an assembly attack. Pure and linear."""
        _, mark, query = question.path.partition(b"?")
        if mark and self._in_text(query, FORM):
            return True
        return bool(question.body) and self._in_text(question.body, question.content_type)

    def _in_text(self, content: bytes, content_type: bytes) -> bool:
        seen = cues_in(glance(content, content_type))
        if not seen:
            return False
        text = full_text(content, content_type)
        cues = seen | cues_in(text)
        return any(self._in_window(window, cues, closely=closely) for closely, window in windows(text))

    def _in_window(self, raw: bytes, cues: Cue, *, closely: bool) -> bool:
        if is_binary(raw):
            return False
        raw = without_data(raw)
        if not closely:
            return self._skimmed(raw.lower(), cues)
        text = plain(raw)
        short = len(text) <= SHORT_TEXT
        made = {(evidence, compared(reading)): None for evidence, reading in readings(raw, text, cues)}
        # Nearly every honest text ends here: one search over all readings costs less than one over each.
        if not self.lexicon.may_say(APART.join([reading for _, reading in made]), requests=short):
            return False
        shown = compared(text)
        asks = self.lexicon.asks(shown)
        plainly: frozenset[bytes] | None = None
        for evidence, reading in made:
            if not self.lexicon.may_say(reading, requests=short):
                continue
            for found in self._told(evidence, reading, asks=asks, short=short):
                if plainly is None:
                    plainly = self.lexicon.plainly(shown)
                if found.key not in plainly:
                    return True
        return False

    def _skimmed(self, text: bytes, cues: Cue) -> bool:
        """A window inside a long text: cut terms only, and terms where it is read backwards."""
        lexicon = self.lexicon
        plainly: frozenset[bytes] | None = None
        for evidence, reading in skimmed(text, cues):
            search = lexicon.terms_in if evidence is Evidence.TURNED else lexicon.cut_in
            for number, found in enumerate(search(compared(reading)), 1):
                deliberate = evidence is Evidence.TURNED or _deliberate(found, evidence, asks=False, short=False)
                if not deliberate and number < MOST_HITS:
                    continue
                if plainly is None:
                    plainly = lexicon.plainly(compared(text))
                if found.key not in plainly:
                    return True
        return False

    def _told(self, evidence: Evidence, reading: bytes, *, asks: bool, short: bool) -> Iterator[Found]:
        """What ``reading`` says.

        :param asks: the text asks for something; ``short``: it is short enough for everyday words to mean something.
        """
        lexicon = self.lexicon
        asks = asks or lexicon.asks(reading.replace(SEAM, b""))
        few = len(reading) <= _FEW_LETTERS
        for number, found in enumerate(lexicon.cut_in(reading), 1):
            # So many cuts in one window are nobody's honest text.
            if _deliberate(found, evidence, asks=asks, short=short, few=few) or number == MOST_HITS:
                yield found
        if evidence is Evidence.FRAGMENTS:
            return
        for found in lexicon.terms_in(reading):
            # A term of several words whose words were pieces each, or one that only the reading has.
            hidden = evidence in (Evidence.TURNED, Evidence.PICKED)
            if hidden or (asks and short and found.whole and len(found.pieces) > 1):
                yield found
        if short and (evidence is not Evidence.LOOSE or len(reading) <= _PROMPT):
            yield from lexicon.asked_terms_in(reading)
            yield from lexicon.requests_in(reading)
            if evidence is Evidence.PICKED:
                yield from lexicon.run_together_in(reading)


def _deliberate(found: Found, evidence: Evidence, *, asks: bool, short: bool, few: bool = False) -> bool:
    """Whether a cut can hardly be chance.

    :param few: there were few letters to pick from.
    """
    pieces = found.pieces
    if max(map(len, pieces)) == 1:
        # A few letters that are part of a longer row spell something by accident, or are parameters.
        if evidence is Evidence.PICKED:
            return len(pieces) > _LUCK or (few and (found.alone or len(pieces) > _FEW))
        return len(pieces) > _CHANCE or (found.alone and asks)
    if evidence is Evidence.FRAGMENTS and len(found.key) <= _CHANCE:
        return False
    if evidence in (Evidence.SEAMED, Evidence.TURNED):
        return asks or unusual(pieces)
    # One letter that was cut off is a variable in front of a word.
    if len(pieces) == 2 and min(map(len, pieces)) == 1:
        return False
    if evidence is Evidence.STRIPPED and len(pieces) > 2:
        return True
    return unusual(pieces) or (short and found.whole and asks and not ORDINARY.issuperset(pieces))


def readings(raw: bytes, text: bytes, cues: Cue) -> Iterator[tuple[Evidence, bytes]]:
    """The ways to follow the instructions of ``text``, and what a cut in each is worth.

    :param raw: the text in its own letter case.
    """
    short = len(text) <= SHORT_TEXT
    literals = literals_of(text)
    yield from ((Evidence.SEAMED, one) for row in literals for one in in_a_row(row))
    definitions, clauses = definitions_of(text)
    yield from ((Evidence.SEAMED, one) for one in resolved(text, definitions))
    if short:
        yield from ((Evidence.SEAMED, one) for one in resolved(text, clauses))
        yield from ((Evidence.SEAMED, one) for row in literals for one in permuted(text, row))
        yield from ((Evidence.SEAMED, one) for one in numbered(text))
    if b"[" in text or b"(" in text:
        cut = sliced(text, dict(definitions))
        if cut != text:
            yield from ((Evidence.SEAMED, one) for one in resolved(cut, definitions_of(cut)[0]))
            yield from ((Evidence.SEAMED, one) for row in literals_of(cut) for one in in_a_row(row))
    yield from ((Evidence.LOOSE, one) for one in listed(text))
    if cues & (Cue.STRIP | Cue.CLOSE_UP | Cue.PROSE):
        gaps = Evidence.STRIPPED if cues & (Cue.STRIP | Cue.CLOSE_UP) else Evidence.LOOSE
        yield from ((gaps, one) for one in unseparated(text))
    if cues & Cue.STRIP or short:
        yield from ((Evidence.TURNED, one) for one in rewritten(text, rules_of(text)))
    if short:
        yield from ((Evidence.SEAMED, one) for one in translated(text, dictionary_of(text)))
    yield from ((Evidence.TURNED, one) for row in literals[:1] for one in filled(text, row))
    if cues & Cue.REVERSE:
        row = literals[0] if literals else []
        yield from ((Evidence.TURNED, one) for one in backwards(text, row))
        yield from ((Evidence.FRAGMENTS, one) for one in pieces_backwards(text))
    if cues & Cue.INITIALS:
        yield from ((Evidence.PICKED, one) for one in initials(raw))
    if cues & Cue.STRIDE:
        yield from ((Evidence.PICKED, one) for row in literals[:1] or [[]] for one in strided(text, row))


def skimmed(text: bytes, cues: Cue) -> Iterator[tuple[Evidence, bytes]]:
    """The readings of a window in the middle of a long text."""
    yield from ((Evidence.SEAMED, one) for one in quoted(text))
    yield from ((Evidence.LOOSE, one) for one in gapped(text))
    if cues & Cue.REVERSE:
        yield Evidence.TURNED, turned(text)
