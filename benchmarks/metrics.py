"""How long a scrape holds up the reactor: of a fresh proxy, of one with as many series as there can be, and with many
open files.

    python benchmarks/metrics.py [--files N]

CPU milliseconds, the best of 50 pages; a page that is asked for again within a second is only copied.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from eve_proxy.counting import Latencies
from eve_proxy.enforcement.counts import MOST, Counts
from eve_proxy.metrics.exposition import FRESH, Exposition
from eve_proxy.metrics.reading import read
from eve_proxy.model.exchange import Route
from eve_proxy.model.verdict import Outcome
from tests.metrics.bench import ComposedProxy

PAGES = 50
FORMATS = {"text": b"", "OpenMetrics": b"application/openmetrics-text"}


class Later:
    """A clock on which each page is a new one."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += FRESH
        return self.now

    def wall(self) -> float:
        return 0.0


def fill(counts: Counts) -> None:
    """All the pairs of pillar and rule that are told apart, on each route of the daemon."""
    for number in range(2 * MOST):
        for route in (Route.FORWARD, Route.CONNECT, Route.TRANSPARENT):
            counts.meet((Outcome.BLOCK, route, "128", f"rule-{number}", 451), remote=number % 2 == 0)


def report(title: str, exposition: Exposition) -> None:
    for name, accept in FORMATS.items():
        best, size = float("inf"), 0
        for _ in range(PAGES):
            started = time.process_time()
            size = len(exposition.render(accept)[1])
            best = min(best, time.process_time() - started)
        print(f"{title:28} {name:12} {best * 1e3:6.2f} ms {size / 1024:6.1f} KiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=0, help="as many open files as the hard limit allows by default")
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, best of {PAGES} pages")
    with tempfile.TemporaryDirectory() as folder:
        proxy = ComposedProxy(Path(folder))
        exposition = Exposition(lambda: read(proxy.parts.watched), Later())
        report("fresh", exposition)
        fill(proxy.parts.watched.counts)
        report(f"{6 * MOST} more series", exposition)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        wanted = arguments.files or min(hard, 20_000) - 100
        files = [os.open(os.devnull, os.O_RDONLY) for _ in range(wanted)]
        report(f"and {wanted} open files", exposition)
        for file in files:
            os.close(file)
    latencies = Latencies()
    for _ in range(8000):
        latencies.observe(0.01)
    started = time.process_time()
    latencies.settle()
    print(f"{'sorting 8,000 observations':28} {'':12} {(time.process_time() - started) * 1e3:6.2f} ms")


if __name__ == "__main__":
    main()
