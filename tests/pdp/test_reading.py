"""What bodies of any type say."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.pdp.reading import FORM, full_text, glance, percent_decoded, with_escapes_read

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def lines(value: object) -> list[str]:
    return full_text(json.dumps(value).encode(), b"application/json").decode().splitlines()


def test_short_members_read_like_assignments_and_long_ones_like_text() -> None:
    """A reader of the text sees names where they matter."""
    assert lines({"a": "cy", "n": 3, "t": "x" * 65, "l": ["p"]}) == ['a = "cy"', "n = 3", "x" * 65, 'l = "p"']


def test_members_of_one_name_follow_each_other_at_the_end() -> None:
    """messages[0].content and messages[1].content become neighbours."""
    messages = [{"name": "ann", "content": "one"}, {"name": "bo", "content": "two"}]
    assert lines(messages)[4:] == ['"ann"', '"bo"', "one", "two"]


def test_a_repeated_member_is_read_every_time() -> None:
    """A duplicate key hides nothing, whichever of the two the recipient takes."""
    assert full_text(b'{"a": "cy", "a": "x"}', b"").splitlines()[:2] == [b'a = "cy"', b'a = "x"']


@given(JSON)
def test_every_string_is_in_the_text(value: object) -> None:
    """Nothing in a JSON body goes unread, at any depth."""
    text = full_text(json.dumps(value).encode(), b"application/json").decode("utf-8", "replace")

    def check(item: object) -> None:
        if isinstance(item, str):
            assert item.encode("utf-8", "replace").decode() in text or not isinstance(value, (dict, list))
        elif isinstance(item, list):
            list(map(check, item))
        elif isinstance(item, dict):
            list(map(check, item.values()))

    check(value)


@pytest.mark.parametrize("body", [b'{"a": ', b"[" * 100_000, b'{"a": 1} {"b": 2}', b"\xff\xfe", b""])
def test_what_is_not_json_is_read_as_it_stands(body: bytes) -> None:
    """Broken, nested without end, or several documents: it is still looked at."""
    assert full_text(body, b"application/json") == body


def test_escapes_are_undone_where_json_is_not_parsed() -> None:
    """A cheap look is not fooled by escapes."""
    assert glance(b'{"a": "x\\ny \\u006aoin \\"z\\""', b"") == b'{"a": "x\ny join "z""'


def test_percent_coding_is_undone() -> None:
    """Forms and queries are read as they are meant."""
    assert percent_decoded(b"a+b%20c%3Dd %e2%82%ac") == b"a b c=d \xe2\x82\xac"


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"a+b", b"a b"), (b"x=1&y=%e2%82%ac", b'x = "1"\ny = "\xe2\x82\xac"'), (b"prompt=a%26b&z", b"a&b\nz")],
)
def test_the_fields_of_a_form_are_members(text: bytes, said: bytes) -> None:
    """A form reads like JSON with the same members."""
    assert glance(text, FORM) == said
    assert full_text(text, b"application/x-www-form-urlencoded; charset=utf-8") == said


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("read", [glance, full_text])
def test_wide_text_is_read(encoding: str, read: Callable[[bytes, bytes], bytes]) -> None:
    """A prompt in UTF-16, which JSON readers take without being told, is looked at like any other."""
    assert b"join the parts" in read('{"a": "join the parts"}'.encode(encoding), b"application/json")


@pytest.mark.parametrize("read", [glance, full_text])
def test_a_wide_first_character_hides_nothing(read: Callable[[bytes, bytes], bytes]) -> None:
    """What follows is read as it stands as well, its escapes undone."""
    assert b"join the parts" in read(b'{\0"\0' + b'"a": "\\u006aoin the parts"', b"application/json")


def test_byte_escapes_stay_for_whoever_decodes_them() -> None:
    """JSON does not know them; C, shells and Python do."""
    assert full_text(b"c\\x79\\101 \\d", b"text/plain") == b"c\\x79\\101 d"


def test_escapes_that_stay_are_read() -> None:
    """Pairs of surrogates and character references are the character they stand for."""
    assert with_escapes_read(b"\\ud835\\udc1a &#1072;&#x430;") == "\U0001d41a \u0430\u0430".encode()
    assert with_escapes_read(b"\\ud835 a") == "\ufffd a".encode()
