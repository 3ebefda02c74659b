"""The table keeps its own promises."""

from __future__ import annotations

import re

import pytest

from eve_proxy.governance.redaction import DEFAULT_QUERY
from eve_proxy.settings import kinds
from eve_proxy.settings.variables import BY_NAME, VARIABLES, Variable

GUIDE = {
    "EVE_PROXY_HOST": "0.0.0.0",
    "EVE_PROXY_PORT": "3128",
    "EVE_PROXY_UPSTREAM_TIMEOUT": "30",
    "EVE_PROXY_ENFORCE_TIMEOUT": "2",
    "EVE_PROXY_MAX_BODY": "10485760",
    "EVE_PROXY_BLOCKED_HOSTS": "",
    "EVE_PROXY_ORG_ID": "default",
    "EVE_PROXY_FAIL_CLOSED": "1",
    "EVE_PROXY_CONNECT_PASSTHROUGH": "1",
    "JWT_SECRET_KEY": "",
}


def test_the_guides_ten_come_first() -> None:
    """The guide's variables are there with exactly its defaults, in its order."""
    assert [(row.name, row.default) for row in VARIABLES[: len(GUIDE)]] == list(GUIDE.items())


def test_names_are_unique() -> None:
    """No row hides another."""
    assert len(BY_NAME) == len(VARIABLES)
    assert len({row.field for row in VARIABLES if row.field}) == sum(row.field is not None for row in VARIABLES)


def test_every_secret_has_its_file() -> None:
    """Each secret can come from a file, which is checked for its mode."""
    for row in VARIABLES:
        if row.secret:
            assert BY_NAME[f"{row.name}_FILE"].holds == row.name
            assert BY_NAME[f"{row.name}_FILE"].private


@pytest.mark.parametrize("row", VARIABLES, ids=lambda row: row.name)
def test_rows_can_be_read_and_printed(row: Variable) -> None:
    """A default is acceptable by its own kind, and the help fits a table of one line."""
    row.kind.read(row.default)
    assert re.fullmatch(r"[ -~]{10,90}", row.help)
    assert "|" not in row.help
    assert row.holds is None or BY_NAME[row.holds].secret


def test_the_redaction_default_is_the_governors() -> None:
    """The table and the redactor agree on what a credential in a query is."""
    assert kinds.QUERY_NAMES.read(BY_NAME["EVE_PROXY_GOVERNANCE_REDACT_QUERY"].default) == DEFAULT_QUERY
