"""YAML, strictly."""

from __future__ import annotations

import pytest

from eve_proxy.pdp.policy_yaml import YamlFault, read_yaml


def test_plain_data_is_read() -> None:
    """Mappings, lists, text, numbers and switches come out as such."""
    assert read_yaml(b"a: [1, 'x', on]\nb: {c: null}\n") == {"a": [1, "x", True], "b": {"c": None}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: 1\nb: 2\na: 3\n", "line 3: the key 'a' is there twice"),
        (b"x:\n  k: 1\n  k: 1\n", "line 3: the key 'k' is there twice"),
        (b"a: &x [1]\nb: *x\n", r"line 2: aliases \(\*name\) are not accepted"),
        (b"a: !!python/object/apply:os.system [x]\n", "line 1: could not determine a constructor"),
        (b"- " * 17 + b"x", "nested deeper than 16 levels"),
        (b"a: [1\n", "line 2: "),
        (b"a: 1\n--- \nb: 2\n", "another document"),
        (b"a: \xff\n", "not YAML in UTF-8"),
        (b"a: 2001-13-45\n", "not YAML in UTF-8"),
        (b"? [1]\n: 2\n", "line 1: "),
        (b"a: \x00\n", "not YAML in UTF-8"),
    ],
)
def test_the_rest_is_refused_with_its_line(text: bytes, said: str) -> None:
    """What YAML would silently settle, or expand without end, is a fault."""
    with pytest.raises(YamlFault, match=said):
        read_yaml(text)
