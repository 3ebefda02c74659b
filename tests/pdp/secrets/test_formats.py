"""The table of formats."""

from __future__ import annotations

import re2

from eve_proxy.pdp.secrets.formats import FORMATS


def test_no_row_has_a_group_of_its_own() -> None:
    """The number of the group that matched is the number of the row."""
    assert all(re2.compile(row.pattern).groups == 0 for row in FORMATS)
