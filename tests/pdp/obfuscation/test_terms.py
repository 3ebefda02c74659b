"""Terms as patterns over look-alikes."""

from __future__ import annotations

from eve_proxy.pdp.assembly.vocabulary import prepare

from eve_proxy.pdp.obfuscation.terms import disguised


def test_a_term_is_found_on_its_boundaries() -> None:
    """A longer word that contains a term is another word."""
    vocabulary = prepare(("heroin", "nerve agent"))
    assert vocabulary is not None
    pattern = disguised(vocabulary)
    assert pattern.search("h\u0435roin!".encode())
    assert pattern.search("nerve \u0430gents".encode())
    assert not pattern.search("h\u00e9ro\u00efne".encode())
