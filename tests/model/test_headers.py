"""Header fields as a value."""

from eve_proxy.model.headers import Headers

FIELDS = Headers.of([(b"Accept", b"a, B"), (b"X-One", b"1"), (b"accept", b" c ,, ")])


def test_lookup_ignores_case_and_keeps_order() -> None:
    """A client's spelling of a name does not matter; its order does."""
    assert FIELDS.get(b"accept") == b"a, B"
    assert FIELDS.get(b"x-two") is None
    assert FIELDS.get_all(b"accept") == [b"a, B", b" c ,, "]
    assert FIELDS.tokens(b"accept") == [b"a", b"b", b"c"]
    assert list(FIELDS)[1] == (b"x-one", b"1")
    assert len(FIELDS) == 3


def test_changes_are_copies() -> None:
    """A changed value never changes what was judged."""
    assert len(FIELDS.without(frozenset((b"accept",)))) == 1
    assert FIELDS.adding(b"New", b"x").get(b"new") == b"x"
    replaced = FIELDS.replacing(b"Accept", b"z")
    assert replaced.get_all(b"accept") == [b"z"]
    assert len(FIELDS) == 3
