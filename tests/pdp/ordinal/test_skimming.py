"""Terms found while they are encoded still."""

from __future__ import annotations

import codecs

import pytest

from eve_proxy.pdp.lexicon import compile_lexicon, folded
from eve_proxy.pdp.ordinal.alphabets import ATBASH, SHIFTS
from eve_proxy.pdp.ordinal.skimming import in_codes, under_ciphers

LEXICON = compile_lexicon(("cyanide", "nerve agent", "яд-пример"))
CIPHERS, CODES = under_ciphers(LEXICON), in_codes(LEXICON)
WORD = "cyanide"


def test_a_term_is_found_under_every_cipher() -> None:
    """Nobody has to know the key."""
    assert all(CIPHERS.search(folded(b"x " + WORD.encode().translate(table) + b" y")) for table in (*SHIFTS, ATBASH))
    assert CIPHERS.search(codecs.encode("nerve agent", "rot13").encode())
    assert not CIPHERS.search(b"cyanide, and a nerve agent")


@pytest.mark.parametrize(
    "text",
    [
        " ".join(map(str, WORD.encode())),
        ", ".join(map(hex, WORD.encode())),
        "".join(f"\\x{code:02x}" for code in WORD.encode()),
        " ".join(f"{code:o}" for code in WORD.upper().encode()),
        "".join(f"{code:08b}" for code in WORD.encode()),
        "-".join(str(code - 96) for code in WORD.encode()),
        "-.-. -.-- .- -. .. -.. .",
        "Charlie Yankee alpha november india Delta ECHO",
    ],
)
def test_a_term_is_found_in_every_list_of_codes(text: str) -> None:
    """Nothing is decoded for it, and one letter too few is another word."""
    assert CODES.search(f"say: {text} now".encode())
    assert not CODES.search(f"say: {text[:-9]} now".encode())
