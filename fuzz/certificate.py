"""Verifying one certificate: nothing but what was signed verifies, and nothing at all makes the verifier raise.

The first byte chooses: the input is a certificate's text; a text with edits; a value with edits; a value that is not
JSON; another key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from eve_proxy.signing.spelling import Unacceptable, arrange, read_header, read_line
from eve_proxy.signing.verification import verify_certificate
from fuzz.choices import Choices
from fuzz.signed import (
    CERTIFICATES,
    FOREIGN,
    LINES,
    OTHER_SECRET,
    SECRET,
    TEXTS,
    VECTOR_FILES,
    edited,
    edited_bytes,
    same,
)

LONGEST: Final = 4096
DICTIONARY: Final = (
    *(b'{"', b'":"', b'","', b'":null,"', b"null", b"true", b"1.0", b"1e0", b"-0", b"\\u0061", b"\\/", b" ", b"\n"),
    *(b'"verdict":"allow"', b'"verdict":"block"', b'"signature":"hmac-', b'"content_hash":"sha256-', b'"log":null'),
    *(b'"algorithm":"none"', b'"algorithm":"Ed25519"', b"HMAC-SHA256", b"eve.decision/1"),
    b"-----BEGIN PUBLIC KEY-----",
)


def _raise(*_: Any) -> Any:
    raise RuntimeError


# Every operation that somebody may have overridden.
_OVERRIDDEN: Final = dict.fromkeys(
    (
        *("__len__", "__iter__", "__getitem__", "__eq__", "__bool__", "__str__", "__int__", "__float__", "__round__"),
        *("__lt__", "__le__", "__gt__", "__ge__", "__add__", "__neg__", "__contains__", "is_integer", "isascii"),
        *("keys", "items", "values", "get", "copy", "encode", "decode", "strip", "startswith"),
    ),
    _raise,
)


def _odd(kind: type) -> Callable[..., Any]:
    """A subclass of ``kind``, with everything that has a hash."""
    return type(f"Odd{kind.__name__}", (kind,), {**_OVERRIDDEN, "__hash__": kind.__hash__})


_OddText: Final = _odd(str)
_OddList: Final = _odd(list)


def _key_in_a_list() -> Any:
    """A list of one key, for those who do not ask it."""
    keys = _OddList()
    list.append(keys, SECRET)
    return keys


def _claiming(kind: type) -> Callable[[], Any]:
    """Something that says that it is of another type, as test doubles do (``Mock(spec=dict)``)."""
    return type("Claiming", (), {"__class__": property(lambda self: kind)})


_Silent: Final = type("Silent", (), {"__class__": property(_raise)})


def _endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["record"] = value
    return value


_ODD: Final[tuple[Callable[[], Any], ...]] = (
    *(_odd(dict), _OddText, _odd(int), _odd(bytes), _Silent, _endless, object, set, bytearray, _key_in_a_list),
    *(_claiming(dict), _claiming(str), _claiming(bytes), _claiming(list), lambda: float("nan"), lambda: 10**400),
    *(lambda: 1j, lambda: ("a",), lambda: {1: 2}, lambda: {b"a": 1}, lambda: {_OddText("a"): 1}, _odd(tuple)),
    *(_odd(float), _odd(complex), lambda: memoryview(b"{}")),
)


def seeds() -> Iterator[bytes]:
    """Texts of the vectors, and one series of edits of each kind."""
    for path in VECTOR_FILES:
        for line in path.read_bytes().splitlines():
            yield b"\x00" + line
    yield from (b"\x00" + text for text in sorted(TEXTS))
    yield from (
        bytes((kind, number)) + bytes(range(number, number + 40)) for kind in (1, 2, 3, 4) for number in range(10)
    )


def examine(data: bytes) -> None:
    """Whatever is presented verifies exactly when it is what was signed."""
    choices = Choices(data)
    (_text, _spelling, _members, _not_json, _key)[choices.below(5)](choices)


def _text(choices: Choices) -> None:
    _present(choices.rest())


def _spelling(choices: Choices) -> None:
    raw = choices.of(sorted(TEXTS) if choices.flag() else LINES)
    for _ in range(choices.below(4)):
        raw = edited_bytes(choices, raw)
    _present(raw)


def _present(raw: bytes) -> None:
    genuine = raw in TEXTS
    assert verify_certificate(raw, SECRET) == genuine, "a text that was not signed verifies, or one that was does not"
    try:
        assert verify_certificate(raw.decode(), SECRET) == genuine
    except UnicodeDecodeError:
        assert not genuine
    for read in (read_line, read_header):
        try:
            fields = read(raw)
        except Unacceptable:
            continue
        assert same(arrange(fields), fields), "what is read is not arranged"


def _members(choices: Choices) -> None:
    original = choices.of(CERTIFICATES)
    value = edited(choices, original)
    genuine = any(same(value, each) for each in CERTIFICATES)
    assert verify_certificate(value, SECRET) == genuine, "values that were not signed verify, or ones that were do not"


def _not_json(choices: Choices) -> None:
    odd = choices.of(_ODD)()
    if choices.flag():
        assert verify_certificate(odd, SECRET) is False
        keys = type(odd) is _OddList  # the key is in it
        assert verify_certificate(CERTIFICATES[0], odd) is keys
        assert verify_certificate(CERTIFICATES[0], [odd]) is False
        return
    value: dict[Any, Any] = dict(choices.of(CERTIFICATES))
    name = choices.of(sorted(value))
    if choices.flag():
        value[name] = odd
    else:
        value["record"] = {name: [odd]} if choices.flag() else {name: odd}
    assert verify_certificate(value, SECRET) is False, "a value that is not JSON verifies"


def _key(choices: Choices) -> None:
    """Only the key that signed verifies."""
    value = choices.of(CERTIFICATES)
    key = choices.of((SECRET, OTHER_SECRET))
    for _ in range(choices.below(3)):
        key = edited_bytes(choices, key)
    assert verify_certificate(value, key) == (key == SECRET), "another key verifies"
    assert verify_certificate(value, [key, SECRET]) is True
    assert verify_certificate(choices.of(FOREIGN), key) == (key == OTHER_SECRET)
