"""The detector of pillar 128: instructions first, then everything they could be about."""

from __future__ import annotations

from dataclasses import dataclass

from eve_proxy.pdp.assembly.cues import Cue, cues_in
from eve_proxy.pdp.assembly.in_order import assembled_in_order, without_connectors
from eve_proxy.pdp.assembly.pieces import assembled_from_pieces
from eve_proxy.pdp.assembly.rewrites import assembled_by_rewriting
from eve_proxy.pdp.assembly.vocabulary import Vocabulary
from eve_proxy.pdp.assembly.windows import stream_of, tokens_of, windows
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.reading import full_text, glance, percent_decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolicAssembly:
    """Looks for a protected term that a text's own instructions assemble from its fragments.

    A term that merely stands in the text is no assembly, and neither are fragments without instructions.
    """

    vocabulary: Vocabulary

    def found_in(self, question: Question) -> bool:
        """True when the body or the query of ``question`` carries an assembly attack. Pure and linear."""
        _, mark, query = question.path.partition(b"?")
        if mark and self._in_text(percent_decoded(query), b""):
            return True
        return bool(question.body) and self._in_text(question.body, question.content_type)

    def _in_text(self, content: bytes, content_type: bytes) -> bool:
        if not cues_in(glance(content, content_type)):
            return False
        text = full_text(content, content_type)
        cues = cues_in(text)
        return bool(cues) and any(self._in_window(window, cues) for window in windows(text))

    def _in_window(self, text: bytes, cues: Cue) -> bool:
        tokens = tokens_of(text)
        streams = (stream_of(tokens), stream_of(without_connectors(tokens)))
        return (
            assembled_in_order(self.vocabulary, text, streams, cues)
            or assembled_by_rewriting(self.vocabulary, text, tokens, cues)
            or assembled_from_pieces(self.vocabulary, text, tokens, cues)
        )
