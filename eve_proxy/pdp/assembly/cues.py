"""Reassembly instructions: the half of an assembly attack that says what to do with the fragments.

One linear scan with a pattern set answers which kinds of instruction a text contains. Without any there is no
attack of this pillar, and that is where most bodies leave.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Final

import re2

from eve_proxy.pdp.lexicon import bytes_options, small


class Cue(IntFlag):
    """Kinds of instruction."""

    NONE = 0
    PROSE = 1
    CODE = 2
    STRIP = 4
    REVERSE = 8
    INITIALS = 16
    STRIDE = 32
    CLOSE_UP = 64


def _any(words: str) -> bytes:
    """An alternation of space-separated patterns; ``_`` stands for a space or a hyphen within one."""
    return b"(?:" + b"|".join([word.replace("_", "[ -]").encode() for word in words.split()]) + b")"


def _tongues(words: str) -> bytes:
    """Beginnings of words of other languages; ``_`` stands for a space."""
    return b"|".join(
        [(rb"\b" if word[0].isascii() else b"") + word.replace("_", " ").encode() for word in words.split()]
    )


# join the pieces, put A and B together, read these lines as one
_JOINING = _any(
    r"""
    (?:re-?)?assembl\w+ (?:re)?join append\w* arrang\w+ attach\w* bind blend\w* bring build chain\w* collaps\w+
    combin\w+ compact compos\w+ concatenat\w* connect\w* construct\w* decod\w+ fit form fus(?:e|ed|ing)
    glu(?:e|ed|ing) interpret\w* lay line link make mash\w* merg\w+ past(?:e|ed|ing) plac(?:e|ing) prepend\w*
    pronounc\w+ put read\w* rearrang\w+ reconstitut\w+ re-?order\w* restor\w+ run say\w* sew slot smash\w* snap
    sort\w* splic\w+ squash stack\w* stitch\w* string synthesi[sz]e tak(?:e|ing) tape tie treat\w* unit(?:e|ing)
    unscrambl\w+ weld\w* writ(?:e|ing)
    """
)
_PIECES = _any(
    r"""
    [a-e] [x-z] all arrays? back_to_back bits blocks? both by_number cells? chars characters? chunks? columns?
    elements? end_to_end entries everything fields? fragments? half halves in_order it items? keys? letters?
    lines? lists? literals? (?:first|second|third|last)_one messages? parts? pieces? portions? rows? scraps?
    sections? segments? sequence shards? side_by_side slices? snippets? strips? (?:sub)?strings? syllables? them
    these those together tokens? verb noun object subject phrases? prepositions? clauses? (?:sub-?)?prompts?
    constituents? up values? variables? words? two three four five
    """
)
# remove the dashes, ignoring every "*", without spaces
_REMOVING = _any(
    r"""
    clean\w* clear\w* clos(?:e|ing) cut\w* delet\w* discard\w* disregard\w* drop\w* eliminat\w* eras\w* except
    exclud\w* filter\w* get(?:ting)?_rid_of ignor\w* los(?:e|ing) minus omit\w* overlook\w* pull\w* purg\w*
    remov\w* replac\w* scrub\w* skip\w* strip\w* substitut\w* subtract\w* swap\w* tak(?:e|ing)_(?:away|out)
    throw\w* toss\w* without
    """
)
_NOISE = _any(
    r"""
    ampersands? asterisks? bars? between blanks? brackets? breaks? bullets? carets? characters? (?:semi)?colons?
    commas? dash\w* delimit\w+ digits? dollars? dots? emojis? equals? fillers? formatting full_stops? gaps?
    hash\w* html hyphens? junk letters? marks? markup newlines? noise numbers? numerals? padding parenthes\w+ percents?
    periods? pipes? plus\w* punctuation quot\w+ separat\w+ signs? (?:back)?slash\w* spac(?:e|es|ing) stars?
    symbols? tags? tildes? underscores? vowels? whitespaces? ["'`(][^"'`\n)]{1,12}["'`)] [x-z]s? [a-z]'s [^\w\s]{1,3}
    """
)
# A blank or a colon first: x.join(a) is no prose.
_WORDS_BETWEEN = rb"[\s:]\W*(?:[\w']+\W+){0,6}?"
_NAME = rb"[a-z_$][\w$]{0,15}"

PATTERNS: Final[dict[Cue, tuple[bytes, ...]]] = {
    Cue.PROSE: (
        rb"\b" + _JOINING + rb"\b" + _WORDS_BETWEEN + rb"(?:" + _PIECES + rb"\b|[\"'`][^\"'`\n]{1,16}[\"'`])",
        rb"\b(?:one|a single|whole|full|complete|resulting|final) word\b|\bletter by letter\b",
        rb"\bspell\w*\b|\bconcatenat\w*\b",
        rb"\b[a-z0-9]{1,2}(?: then | plus | and then )[a-z0-9]{1,2}\b|\bfollowed by\b|\bput together\b",
        rb"\b(?:pieces?|parts?|fragments?|chunks?|halves|syllables?|segments?) (?:of|form|make|spell|give|add up)\b",
        rb"\b(?:first|second|third|last|other|next) (?:bit|piece|part|half|fragment|chunk|syllable)\b",
        rb"\bin (?:bits|pieces)\b|\bjoining\b|\bglued\b|\bmapping\b",
        rb"(?:^|[^.\w])(?:concat(?:enate)?|strcat|join|merge|append) ?\(\w+ ?, ?\w",
        rb"\b(?:is|be|as|to|means) [\"'`]\w{1,16}[\"'`][^\n]{1,60}\b(?:is|be|as|to|means) [\"'`]\w",
        rb"\b(?:[a-z]\W){4}[a-z]\b",
        rb"\bwhat (?:word|do you get)\b|\bno spaces?\b",
        rb"\b(?:order|arrange|sort|rearrange|rebuild|reconstruct|reassemble|implode)\w*\W",
        rb"\b(?:fill|filled|template|placeholder|variables?|fragments?|pieces|chunks|concat\w*)\b|\b(?:let|set"
        rb"|remember) \S{1,16} (?:=|be\b|to\b|is\b)",
        _tongues(
            "zusammen aneinander verbinde verkett füge hänge joindre colle bout assembl concat rejoin morceau unis "
            "juntos"
            " junta une concaten unir pega combin unisci incolla склей соедин объедин сложи сложен połącz sklej "
            "birleştir"
            " gabung voeg plak 连接 拼接 合并 組み合わせ つなげ 結合 つなぐ 이어 합쳐 اجمع ادمج"
        ),
    ),
    Cue.CODE: (
        rb"[\w\"'`]\[-?\d{0,3}:-?\d{0,3}|<\w{1,16}><\w{1,16}>|\.(?:slice|substr(?:ing)?|charat|at)\("
        rb"|\bfor \w in \w|\{\{\w",
        rb"\b(?:join|concat\w*|strcat|paste0?|implode|reduce|cat) ?\(|\b(?:format|append|push)\(",
        rb"\bstrcat|printf|%s%s|[\"'`]\w{1,16}[\"'`]\s+[\"'`]\w",
        # "a" + ..., ... + "b", a + b, total += part
        rb"[\"'`] ?\+|\+ ?[\"'`]|\+=",
        rb"(?:^|[\s(=\[{,;:>])" + _NAME + rb"(?:\[\w+\])? ?\+=? ?" + _NAME + rb"(?:$|[\s)\];,}.+\[])",
        # {a}{b}, ${a}${b}, $a.$b, "a" . "b", "a" || "b", "a" <> "b"
        rb"\}\$?\{|\$\{?\w+\}?\$\{?\w+|\$\w+ ?\. ?\$|[\"'`]\s*(?:\.\.?|&|\|\||~|<<|<>)\s*[\"'`$]|\b\w+ ?<< ?[\"']"
        rb"|\|\||stringbuilder",
    ),
    Cue.STRIP: (
        rb"\b" + _REMOVING + rb"\b" + _WORDS_BETWEEN + _NOISE,
        # replace 0 with o
        rb"\b(?:replac|substitut|swap|chang|turn|exchang)\w*\W+(?:[\w']+\W+){0,3}?\S{1,8} (?:with|by|for|into|to)\b",
        rb"\.(?:replace\w*|split|strip) ?\(|\b(?:re\.sub|translate) ?\(|str_replace|\bgsub\b",
        rb"\btr -d|\bsed\b|replace ?\(|\b(?:means?|are|is) (?:nothing|noise|filler|padding|ignored)\b|\bnoise\b",
        _tongues(
            "entfern streich lösche ohne ersetz enlèv supprim sans remplac quita elimina borra sin reemplaza togli "
            "rimuov"
            " senza sostitui удали убери замени usuń bez zamień sil çıkar verwijder zonder"
            " 去掉 删除 去除 替换 取り除 削除 置き換え"
            " 제거 빼고 احذف"
        ),
    ),
    Cue.CLOSE_UP: (
        rb"\b" + _REMOVING + rb"\b" + _WORDS_BETWEEN + rb"(?:spac(?:e|es|ing)|blanks?|gaps?|whitespaces?|breaks?)\b",
        rb"\b(?:close up|no spaces?|unspaced|single word|one word)\b",
    ),
    Cue.REVERSE: (
        rb"\brevers\w*|\bbackwards?\b|\[::-1\]|\bmirror\w*|\bright[ -]to[ -]left\b|\bflip\w*",
        rb"\bstrrev\b|\| ?rev\b|\besrever\b|\bsdrawkcab\b|\bdesrever\b",
        rb"\b(?:last|end|back) to (?:first|start|beginning|front)\b|\bopposite (?:order|direction)\b|\binvert\w*",
        rb"\bfrom the end\b|\bturn\w* around\b|\bdescending\b|\binverse\b|\bright order\b|\breversed?\b",
        _tongues(
            "rückwärts umgekehrt umdreh envers inverse revés inversa contrario rovescio задом наоборот обратн переверни"
            " wspak odwróć tersten achterstevoren 倒过来 反转 倒序 逆 거꾸로 اعكس"
        ),
    ),
    Cue.INITIALS: (
        rb"\b(?:first|initial|starting|opening|leading|last|final|ending)\s+(?:letters?|characters?|chars?)\b",
        rb"\binitials\b|\bacrostic\w*|\bacronym\w*|\btelestich\w*|\bcharat ?\(0\)|\bcapitals\b",
        rb"\w\[(?:0|:1)\](?: for|\)? ?[+}])|\bcapital letters?\b|\bupper ?case letters?\b|\bvertical(?:ly)?\b",
        _tongues(
            "anfangsbuchstabe akrostichon initiales première_lettre premières_lettres acrostiche primera_letra "
            "primeras_letras"
            " iniciales prime_lettere iniziali первые_буквы первую_букву акростих pierwsze_litery"
            " 首字母 藏头 頭文字 첫_글자"
        ),
    ),
    Cue.STRIDE: (
        rb"\bevery (?:other|second|third|fourth|2nd|3rd|4th)\b|\balternat\w+ (?:letter|char)\w*|\[\d?::[234]\]",
        rb"\b(?:odd|even)\b|\bskip\w* (?:one|two|every|each)\b|\b(?:second|third|fourth|fifth|nth|[2-5]th|[2-5]rd) "
        rb"(?:letter|char)",
        _tongues("jeden_zweiten jeder_zweite une_lettre_sur cada_dos_letras каждую_вторую"),
    ),
}

_OPTIONS = bytes_options()
_OPTIONS.case_sensitive = False
_ORDER = tuple(PATTERNS)
_SET = re2.Set.SearchSet(_OPTIONS)
for _pattern in PATTERNS.values():
    _SET.Add(b"|".join(_pattern))
_SET.Compile()


def cues_in(text: bytes) -> Cue:
    """Which kinds of reassembly instruction ``text`` contains, in any letter case."""
    cues = Cue.NONE
    for index in _SET.Match(small(text)) or ():
        cues |= _ORDER[index]
    return cues
