"""The detector of pillar 128: instructions first, then everything they could be about."""

from __future__ import annotations

from dataclasses import dataclass

from eve_proxy.pdp.assembly.cues import cues_in
from eve_proxy.pdp.assembly.in_order import assembled_in_order, without_connectors
from eve_proxy.pdp.assembly.pieces import assembled_from_pieces
from eve_proxy.pdp.assembly.rewrites import Instructions, assembled_by_rewriting, instructions_of
from eve_proxy.pdp.assembly.vocabulary import Vocabulary
from eve_proxy.pdp.assembly.windows import is_binary, stream_of, tokens_of, windows
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
        orders = instructions_of(text.lower(), cues_in(text))
        harmless: set[tuple[bytes, ...]] = set()
        return bool(orders.cues) and any(
            self._in_window(window, orders, harmless) for window in windows(text, ascii_only=self.vocabulary.ascii_only)
        )

    def _in_window(self, text: bytes, orders: Instructions, harmless: set[tuple[bytes, ...]]) -> bool:
        vocabulary, cues = self.vocabulary, orders.cues
        tokens = tokens_of(text)
        streams = (stream_of(tokens), stream_of(without_connectors(tokens)))
        if assembled_in_order(vocabulary, text, streams, cues, harmless):
            return True
        if is_binary(text):
            return False
        return assembled_by_rewriting(vocabulary, text, tokens, orders) or assembled_from_pieces(
            vocabulary, text, tokens, cues
        )
