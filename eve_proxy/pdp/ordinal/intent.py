"""Words and code that ask for decoding. Encoded data alone is ordinary traffic."""

from __future__ import annotations

from typing import Final

import re2

from eve_proxy.pdp.assembly.vocabulary import bytes_options

_WORDS: Final = (
    rb"\b(?:de|un|en)-?(?:cod|ciph|cipher|crypt|scrambl|obfuscat|hex|escap|quot|map)(?:e|ed|er|es|ing|ify)?\b",
    rb"\bcrack\w*|\bde-?code\w*|\bdecrypt\w*|\bdecipher\w*|\bunescape\w*|\burldecode",
    rb"\b(?:convert|translat|transform|turn|map|interpret|read|render|chang|treat|resolv|unpack|pars"
    rb"|reveal|recover|restor|express)"
    rb"\w*\W+(?:[\w']+\W+){0,8}?(?:(?:in)?to|as|from|back|using|with|via|per)\b",
    rb"\b(?:ascii|unicode|utf-?8|base[ _-]?(?:16|32|64)|b(?:16|32|64)|hex\w*|octal|binary|rot[ _-]?13"
    rb"|caesar|cipher\w*|atbash)\b",
    rb"\bcode ?-?points?\b|\b(?:char(?:acter)?|letter|key|decimal|byte|number|numeric"
    rb"|ordinal)s? ?-?(?:codes?|values?|positions?|numbers?)\b",
    rb"\bordinals?\b|\balphabet\w*\b|\ba ?= ?(?:0?1|65|97|n)\b|\bmorse\b|\bencoded\b"
    rb"|\bpercent[ -]encod\w*|\burl[ -]?encod\w*",
    rb"\b(?:un)?chr ?\(|fromcharcode|fromcodepoint|\batob ?\(|b64|base64|base32|unhexlify|fromhex"
    rb"|\bunquote\b|decodeuri|rot_?13",
    rb"\bto_?str(?:ing)?\b|\bbytes?\(|\bxxd\b|\bmap ?\( ?chr\b|pack ?\( ?[\"']|\bchar\(|codecs\."
    rb"|\bbuffer\.from\b|textdecoder",
    rb"\bhidden (?:word|message|text|instruction)|\bsecret (?:word|message|text|instruction)"
    rb"|\bwhat (?:word|does|do|is|message)\b",
    rb"\b(?:numbers?|bytes|digits|values|payload|string|sequence|shift\w*|rotat\w*)\b[^.]{0,60}"
    rb"\b(?:letters?|characters?|word|text|message|string|back(?:wards)?|places?|positions?)\b",
    rb"\b(?:follow|execute|obey|answer|carry out|do|perform|run)\b[^.]{0,40}\b(?:it says|instructions?"
    rb"|result|output|contents?|message|request)\b",
)
_OPTIONS = bytes_options()
_OPTIONS.case_sensitive = False
_OPTIONS.never_capture = True
_INTENT = re2.compile(b"|".join(_WORDS), _OPTIONS)


def asks_to_decode(text: bytes) -> bool:
    """Whether ``text`` says, in words or code, that something in it is to be decoded. Any letter case; linear."""
    return _INTENT.search(text) is not None
