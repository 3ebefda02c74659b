"""The protected vocabulary as patterns over look-alikes."""

from __future__ import annotations

from typing import Any, Final

import re2

from eve_proxy.pdp.assembly.vocabulary import Term, Vocabulary
from eve_proxy.pdp.obfuscation.lookalikes import UNSEEN, ligatures, lookalikes

_UNSEEN = f"[{UNSEEN}]*"
_EDGE: Final = r"[^\p{Latin}\p{Cyrillic}\p{Greek}\p{Nd}]"
_GAP: Final = r"[\s\p{Z}_\-\x{2010}-\x{2015}]{0,3}"


def disguised(vocabulary: Vocabulary) -> Any:
    """A pattern over UTF-8 that finds a term in any disguise, and undisguised, on its own boundaries."""
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    options.case_sensitive = False
    terms = "|".join(map(_term, vocabulary.terms))
    return re2.compile(f"(?:^|{_EDGE})({terms}){_letter('s')}?{_UNSEEN}(?:$|{_EDGE})", options)


def _term(term: Term) -> str:
    letters = [letter.decode() for letter in term.letters]
    parts = []
    at = 0
    while at < len(letters):
        joined = "".join(letters[at : at + 3])
        ligature = next((one for one, several in ligatures().items() if joined.startswith(several)), None)
        size = len(ligatures()[ligature]) if ligature else 1
        # A natural gap inside a ligature would be lost.
        if ligature and not any(place in term.natural for place in range(at + 1, at + size)):
            spelled = _UNSEEN.join(map(_letter, letters[at : at + size]))
            parts.append(f"(?:{ligature}|{spelled})")
            at += size
        else:
            parts.append(_letter(letters[at]))
            at += 1
        parts.append(_UNSEEN if at < len(letters) else "")
        if at in term.natural:
            parts.append(_GAP + _UNSEEN)
    return "".join(parts)


def _letter(letter: str) -> str:
    others = lookalikes().get(letter, "")
    return f"[{letter}{''.join(re2.escape(other) for other in others)}]" if others else re2.escape(letter)
