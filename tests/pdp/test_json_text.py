"""The strings of JSON as text."""

from __future__ import annotations

import json

import pytest

from eve_proxy.pdp.json_text import json_as_text


def lines(value: object) -> list[str]:
    return json_as_text(json.dumps(value).encode()).decode().split("\n")


def test_what_people_write_stands_without_its_name() -> None:
    """The words of the protocol do not come between the pieces of a message."""
    assert lines({"role": "user", "content": "one"}) == ["one"]
    assert lines({"role": "a b", "name": "x"}) == ['role = "a b"', 'name = "x"']


def test_a_quotation_keeps_its_own_quotes() -> None:
    """A short value with a quote inside is not quoted again."""
    assert lines({"code": 'x = "cy" + "anide"'}) == ['x = "cy" + "anide"']


def test_a_list_of_numbers_stays_a_list() -> None:
    """Code points of one word stand on one line."""
    assert lines({"codes": [99, 121]}) == ["codes = 99, 121"]
    assert lines({"flags": [True, False]}) == ["flags = True", "flags = False"]


def test_documents_inside_strings_are_read() -> None:
    """The arguments of a tool call are JSON in JSON."""
    assert lines({"arguments": json.dumps({"code": "a = 'cy'"})}) == ["code = \"a = 'cy'\""]
    assert lines({"text": "[not json]"}) == ["[not json]"]


def test_one_document_a_line_is_read_as_a_list() -> None:
    """The pieces of a stream of documents meet like those of one."""
    assert json_as_text(b'{"t": "cy"}\n\n{"t": "anide"}\n').decode().split("\n")[2:] == ['"cy"', '"anide"']


@pytest.mark.parametrize("content", [b'{"a": ', b"[" * 100_000, b'{"a": 1} tail', b'{"a": 1}\n' + b"[" * 100_000])
def test_anything_else_is_an_error(content: bytes) -> None:
    """Whoever reads it as it stands is told so."""
    with pytest.raises(ValueError):
        json_as_text(content)
