"""The table of metrics: names as Prometheus' conventions want them, and the page of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eve_proxy.metrics.families import FAMILIES, Family

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
# Labels in which the outside could put what it likes.
FORBIDDEN = {"host", "path", "peer", "client", "authority", "url", "org_id", "caller"}


@every_family
def test_names(family: Family) -> None:
    """Counters end in _total and nothing else does; durations are in seconds, sizes in bytes."""
    assert re.fullmatch(r"eve_proxy_[a-z_]+[a-z]", family.name)
    assert family.name.endswith("_total") is (family.kind == "counter")
    assert family.name.endswith("_info") is (family.kind == "info")
    assert family.name.endswith("_duration_seconds") is (family.kind == "histogram")
    assert not re.search(r"_(count|sum|bucket|ms|milliseconds|kb|gauge|counter)\b", family.name)


@every_family
def test_help_is_one_line(family: Family) -> None:
    """Whoever looks at the page reads what a metric says."""
    assert family.help.endswith(".")
    assert "\n" not in family.help


@every_family
def test_labels_say_nothing_of_clients_and_destinations(family: Family) -> None:
    """Neither a label's name nor, by it, its values are those of a host, a path or a peer."""
    assert not FORBIDDEN & set(family.labels)


def test_names_are_unique() -> None:
    """One row per metric."""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


@every_family
def test_the_page_has_it(family: Family) -> None:
    """docs/metrics.md names every metric, with its type, labels and meaning (drawn by scripts/tables.py)."""
    labels = ", ".join(f"`{label}`" for label in family.labels) or "-"
    assert f"| `{family.name}` | {family.kind} | {labels} | {family.help} |" in PAGE


def test_the_page_names_no_other() -> None:
    """No metric is documented that does not exist."""
    names = {family.name for family in FAMILIES}
    suffixes = ("", "_bucket", "_sum", "_count")
    known = {name + suffix for name in names for suffix in suffixes}
    assert set(re.findall(r"`(eve_proxy_[a-z_]+)`", PAGE)) <= known
