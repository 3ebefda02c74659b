"""Patterns that find a term while it is encoded still: they stand for decoding all of a long text in every way."""

from __future__ import annotations

from typing import Any, Final

import re2

from eve_proxy.pdp.lexicon import Lexicon, bytes_options
from eve_proxy.pdp.ordinal.alphabets import ATBASH, SHIFTS, codes_of

# Between two codes of a list. Nothing may stand between binary ones.
_GAP: Final = rb"[^0-9A-Za-z]{1,4}"
_MORSE_GAP: Final = rb"[ /|\t]{1,4}"
_BINARY_GAP: Final = rb"[^0-9A-Za-z]{0,2}"


def under_ciphers(lexicon: Lexicon) -> Any:
    """A pattern over folded text for every term under every Caesar shift and in Atbash."""
    plain = [b" ".join([word.encode() for word in words]) for words in lexicon.terms]
    plain = [term for term in plain if term.isascii()]
    made = {term.translate(table) for term in plain for table in (*SHIFTS, ATBASH)} - set(plain)
    return re2.compile(
        rb"\b(?:" + b"|".join([term.replace(b" ", b" {0,3}") for term in sorted(made)]) + rb")\b",
        bytes_options(max_mem=128 << 20),
    )


def in_codes(lexicon: Lexicon) -> Any:
    """A pattern over text for every term as numbers, places in the alphabet, Morse signs or spelling words."""
    terms = ["".join(words) for words in lexicon.terms]
    ways = []
    for term in terms:
        if term.isascii() and term.isalpha():
            spelled = [codes_of(letter.encode()) for letter in term]
            for kind in spelled[0]:
                gap = {"morse": _MORSE_GAP, "binary": _BINARY_GAP}.get(kind, _GAP)
                ways.append(gap.join([codes[kind] for codes in spelled]))
    options = bytes_options(max_mem=256 << 20)
    options.case_sensitive = False
    options.never_capture = True
    return re2.compile(rb"(?:^|[^0-9A-Za-z.\-])(?:" + b"|".join(ways) + rb")(?:$|[^0-9A-Za-z])", options)
