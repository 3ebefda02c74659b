"""Prometheus' formats, and what a scraper may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from eve_proxy.counting import BOUNDS, Latencies
from eve_proxy.metrics.exposition import FRESH, Exposition
from eve_proxy.metrics.families import FAMILIES
from tests.fakes.ports import FakeClock
from tests.metrics.bench import SCRAPE, ComposedProxy, parsed

TEXT = b"text/plain; version=0.0.4; charset=utf-8"
PROMETHEUS = (
    b"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    b"application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


def exposition(rows: Any = None) -> tuple[Exposition, FakeClock]:
    clock = FakeClock()
    return Exposition(lambda: {} if rows is None else rows, clock), clock


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (b"", TEXT),
        (b"*/*", TEXT),
        (b"text/plain;version=0.0.4", TEXT),
        (b"text/html, text/plain; version=1.0.0", TEXT),
        (b"application/openmetrics-text", b"application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (b"application/openmetrics-text; version=99", TEXT),
        (b"application/openmetrics-text; version=x\xff\xf0", TEXT),
    ],
)
def test_negotiation(accept: bytes, kind: bytes) -> None:
    """curl gets plain text, Prometheus its newest format; nonsense gets plain text and breaks nothing."""
    assert exposition()[0].render(accept)[0] == kind


def test_what_prometheus_asks_for() -> None:
    """The Accept header that Prometheus sends gets OpenMetrics, which ends as it must."""
    kind, page = exposition()[0].render(PROMETHEUS)
    assert kind.startswith(b"application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert page.endswith(b"# EOF\n")


@given(
    accept=st.one_of(
        st.binary(max_size=60), st.text(alphabet="aplictonx/;=,.version0141 -", max_size=60).map(str.encode)
    )
)
def test_no_accept_header_breaks_it(accept: bytes) -> None:
    """Whatever a scraper accepts, it gets a page, and its own text never comes back in the head."""
    kind, page = exposition()[0].render(accept)
    assert kind.startswith((b"text/plain; ", b"application/openmetrics-text; "))
    assert b"version=0.0.4" in kind or b"version=1.0.0" in kind
    assert page


def test_a_page_is_made_once_a_second() -> None:
    """Somebody who scrapes in a loop costs a lookup each time, not a page."""
    made: list[None] = []
    clock = FakeClock()

    def read() -> dict[str, Any]:
        made.append(None)
        return {}

    asked = Exposition(read, clock)
    first = asked.render(b"")
    assert asked.render(b"") == first
    assert len(made) == 1
    clock.advance(FRESH)
    asked.render(b"")
    assert len(made) == 2
    asked.render(PROMETHEUS)
    assert len(made) == 3


def test_a_histogram() -> None:
    """Cumulative buckets with `+Inf`, sum and count, as `histogram_quantile` wants them."""
    latencies = Latencies()
    for seconds in (0.0004, 0.002, 0.002, 100):
        latencies.observe(seconds)
    page = parsed(exposition({"eve_proxy_enforcement_duration_seconds": [((), latencies)]})[0].render(b"")[1])
    name = "eve_proxy_enforcement_duration_seconds"
    edges = [f'{name}_bucket{{le="{bound}"}}' for bound in (*BOUNDS, "+Inf")]
    assert [page[edge] for edge in edges] == [1, 1, 3, *[3] * (len(BOUNDS) - 3), 4]
    assert page[f"{name}_count"] == 4
    assert page[f"{name}_sum"] == pytest.approx(100.0044)


@pytest.mark.parametrize(
    ("accept", "parse"), [(b"", text_format), (PROMETHEUS, openmetrics)], ids=["text", "openmetrics"]
)
def test_others_can_read_it(tmp_path: Path, accept: bytes, parse: Any) -> None:
    """The client library's own parsers read both formats, and find every family of the table and of the process."""
    proxy = ComposedProxy(tmp_path)
    proxy.ask(b"garbage\r\n\r\n")
    found = {family.name: family for family in parse(proxy.parts.exposition.render(accept)[1].decode())}
    for family in FAMILIES:
        bare = family.name.removesuffix("_total").removesuffix("_info")
        assert {family.name, bare} & set(found), family.name
    assert {"process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds", "python_info"} <= {
        *found, *(f"{name}_info" for name in found),
    }  # fmt: skip


def test_each_proxy_has_a_registry_of_its_own(tmp_path: Path) -> None:
    """Two in one process do not see each other's numbers, and the library's global registry sees neither's."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = ComposedProxy(tmp_path / "a"), ComposedProxy(tmp_path / "b")
    first.ask(b"garbage\r\n\r\n")
    assert first.samples["eve_proxy_connections_total"] == 1
    assert second.samples["eve_proxy_connections_total"] == 0
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("eve_proxy")]


def test_a_metric_that_cannot_be_read_fails_nobody(tmp_path: Path) -> None:
    """A defect in a counter costs the scrape; requests on other connections are decided and answered as before."""
    proxy = ComposedProxy(tmp_path)
    proxy.parts.watched.counts.enforcement = None  # type: ignore[assignment]
    assert proxy.ask(SCRAPE)[0] == 503
    proxy.parts.watched.counts.enforcement = Latencies()
    del proxy.parts.factory.relays
    assert proxy.ask(SCRAPE)[0] == 503
    refused = b"GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"
    assert proxy.ask(refused)[0] == 451
    assert len(proxy.journal.lines()) == 2
