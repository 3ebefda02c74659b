"""Words and code that ask for decoding. Encoded data alone is ordinary traffic."""

from __future__ import annotations

from typing import Final

import re2

from eve_proxy.pdp.lexicon import bytes_options, small

_WORDS: Final = (
    rb"\b(?:de|un|en)-?(?:cod|ciph|cipher|crypt|scrambl|obfuscat|hex|escap|quot|map|pack|roll|spell)(?:e|ed|er|es|ing"
    rb"|ify)?\b",
    rb"\bcrack\w*|\bde-?code\w*|\bdecrypt\w*|\bdecipher\w*|\bunescape\w*|\burldecode|\bsolv(?:e|ing)\b",
    rb"\b(?:convert|translat|transform|turn|map|interpret|read|render|chang|treat|resolv|unpack|pars|undo"
    rb"|reveal|recover|restor|express)"
    rb"\w*\W+(?:[\w']+\W+){0,8}?(?:(?:in)?to|as|from|back|using|with|via|per|both)\b",
    rb"\b(?:ascii|unicode|utf-?8|base[ _-]?(?:16|32|58|64|85)|b(?:16|32|64|85)|a85|hex\w*|octal|binary|rot[ "
    rb"_-]?[0-9]{1,2}"
    rb"|caesar|c\xc3\xa9sar|cipher\w*|chiffre|cifrad\w*|atbash|braille|morse|nato|phonetic|entit(?:y|ies)|escapes?"
    rb"|escaped|quoted[ -]?printable|uuencode\w*|percent-?(?:en)?cod\w*)\b",
    rb"\bcode ?-?points?\b|\b(?:char(?:acter)?|letter|key|decimal|byte|number|numeric"
    rb"|ordinal)s? ?-?(?:codes?|values?|positions?|numbers?)\b",
    rb"\bordinals?\b|\balphabet\w*\b|\ba ?= ?(?:0?1|65|97|n|z)\b|\bencoded\b|\burl[ -]?encod\w*",
    rb"\b(?:un)?chr ?\(|fromcharcode|fromcodepoint|\batob ?\(|b64|base64|base32|unhexlify|fromhex"
    rb"|\bunquote\b|decodeuri|rot_?13|\bprintf\b|\becho -e\b|\$'",
    rb"\bto_?str(?:ing)?\b|\bbytes?\(|\bxxd\b|\bmap ?\( ?chr\b|pack ?\( ?[\"']|\bchar\(|codecs\."
    rb"|\bbuffer\.from\b|textdecoder",
    rb"\binterpret\w*|\bliteral\b|\bchr\b|\bcodes?\b|(?:\\[xX][0-9a-fA-F]{2}){4}|\bto (?:plain ?|readable )?(?:text"
    rb"|english|letters|words)\b"
    rb"|\b(?:stands?|standing) for (?:letters?|characters?)\b",
    rb"\bhidden (?:word|message|text|instruction)|\bsecret (?:word|message|text|instruction)"
    rb"|\bwhat (?:word|does|do|is|message)\b|(?:->|=>|\xe2\x86\x92) ?(?:text|ascii|string|plain|letters|english)",
    rb"\b(?:numbers?|bytes|digits|values|payload|string|sequence|shift\w*|rotat\w*)\b[^.]{0,60}"
    rb"\b(?:letters?|characters?|word|text|message|string|back(?:wards)?|places?|positions?)\b",
    rb"\b(?:follow|execute|obey|answer|carry out|do|perform|run)\b[^.]{0,40}\b(?:it says|instructions?"
    rb"|result|output|contents?|message|request)\b",
    b"|".join(
        [
            word.encode()
            for word in [
                "entschlüssel",
                "dekodier",
                "entziffer",
                "übersetze",
                "décod",
                "déchiffr",
                "descifr",
                "decodific",
                "decifra",
                "decodifica",
                "traduci",
                "расшифр",
                "декодир",
                "коды",
                "шифр",
                "odszyfruj",
                "dekoduj",
                "rozszyfruj",
                "çöz",
                "terjemahkan",
                "ontcijfer",
                "decodeer",
                "解码",
                "解密",
                "解碼",
                "翻译",
                "デコード",
                "解読",
                "復号",
                "해독",
                "디코드",
                "فك",
            ]
        ]
    ),
)
_OPTIONS = bytes_options()
_OPTIONS.case_sensitive = False
_OPTIONS.never_capture = True
_INTENT = re2.compile(b"|".join(_WORDS), _OPTIONS)
# Names a cipher that moves letters.
_CIPHER = re2.compile(
    rb"rot|caesar|c\xc3\xa9sar|cipher|cypher|chiffr|cifr|shift|atbash|decod|d\xc3\xa9cod|dekod|decrypt|encod|encrypt"
    rb"|13|verschl"
    rb"|\xd1\x88\xd0\xb8\xd1\x84\xd1\x80|\xe8\xa7\xa3",
    _OPTIONS,
)
_BACKWARDS = re2.compile(
    rb"revers|backward|mirror|\[::-1\]|r\xc3\xbcckw|envers|\xd0\xbd\xd0\xb0\xd0\xb7\xd0\xb0\xd0\xb4", _OPTIONS
)


def asks_to_decode(text: bytes) -> bool:
    """Whether ``text`` says, in words or code, that something in it is to be decoded. Any letter case; linear."""
    return _INTENT.search(small(text)) is not None


def names_a_cipher(text: bytes) -> bool:
    """Whether ``text`` may speak of letters put for each other."""
    return _CIPHER.search(text) is not None


def reads_backwards(text: bytes) -> bool:
    """Whether ``text`` may speak of reading backwards."""
    return _BACKWARDS.search(small(text)) is not None
