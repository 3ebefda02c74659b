"""Rows in Prometheus' formats. This module and ``process.py`` are the only ones that use ``prometheus_client``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from eve_proxy.counting import BOUNDS, Latencies
from eve_proxy.interfaces import IClock
from eve_proxy.metrics.families import FAMILIES, Family
from eve_proxy.metrics.process import ProcessNumbers
from eve_proxy.metrics.reading import Batches, Row

# Seconds for which an answer is given again: whoever asks too often gets what it has, and costs nothing.
FRESH: Final = 1.0
_EDGES: Final = (*map(floatToGoString, BOUNDS), "+Inf")
# What may be asked for. The encoder repeats a version in its answer's head, so that it is not shown any other.
_TYPES: Final = {
    "application/openmetrics-text": ("1.0.0",),
    "text/plain": ("0.0.4",),
}


class Parts(Collector):
    """Collects ``families.FAMILIES``.

    :param read: gives the rows of each by its name (``reading.read``).
    """

    def __init__(self, read: Callable[[], dict[str, list[Row]]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now."""
        rows = self._read()
        for family in FAMILIES:
            yield _metric(family, rows.get(family.name, []))


class Exposition:
    """Answers scrapes of one proxy, from a registry of its own.

    :param read: as ``Parts``.
    """

    def __init__(self, read: Callable[[], dict[str, list[Row]]], clock: IClock) -> None:
        registry = CollectorRegistry()
        registry.register(Parts(read))
        registry.register(ProcessNumbers(clock.wall()))
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._registry = registry
        self._monotonic = clock.monotonic
        self._given: dict[str, tuple[float, bytes]] = {}

    def render(self, accept: bytes) -> tuple[bytes, bytes]:
        """Content type and body for a scrape; at most ``FRESH`` seconds old.

        :param accept: the value of the request's ``Accept``, as it came.
        """
        encode, kind = choose_encoder(_understood(accept))
        now = self._monotonic()
        given = self._given.get(kind)
        if given is None or now - given[0] >= FRESH:
            given = self._given[kind] = now, encode(self._registry)
        return kind.encode("ascii"), given[1]


def _understood(accept: bytes) -> str:
    """Those of the media types that we know, as the encoder wants them."""
    understood = []
    for member in accept.decode("latin-1").lower().split(","):
        kind, *parameters = map(str.strip, member.split(";"))
        version = "".join([each.removeprefix("version=") for each in parameters if each.startswith("version=")])
        if kind in _TYPES and (not version or version in _TYPES[kind]):
            understood.append(f"{kind};version={version}" if version else kind)
    return ",".join(understood)


def _metric(family: Family, rows: list[Row]) -> Metric:
    name, labels = family.name, family.labels
    match family.kind:
        case "counter":
            counter = CounterMetricFamily(name, family.help, labels=labels)
            for values, value in rows:
                counter.add_metric(values, _number(value))
            return counter
        case "gauge":
            gauge = GaugeMetricFamily(name, family.help, labels=labels)
            for values, value in rows:
                gauge.add_metric(values, _number(value))
            return gauge
        case "info":
            info = InfoMetricFamily(name.removesuffix("_info"), family.help, labels=())
            for values, _ in rows:
                info.add_metric((), dict(zip(labels, values, strict=True)))
            return info
        case "histogram":
            histogram = HistogramMetricFamily(name, family.help, labels=labels)
            for values, value in rows:
                assert isinstance(value, Latencies)
                histogram.add_metric(values, list(zip(_EDGES, value.cumulative, strict=True)), value.sum)
            return histogram
        case "summary":
            summary = SummaryMetricFamily(name, family.help, labels=labels)
            for values, value in rows:
                assert isinstance(value, Batches)
                summary.add_metric(values, value.batches, value.records)
            return summary


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
