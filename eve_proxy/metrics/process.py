"""The process itself: memory, CPU, open files, start; under the names that every Prometheus client gives them.

Not ``prometheus_client.ProcessCollector``: it finds nothing where only /proc/PID can be seen (systemd's
``ProcSubset=pid``, which our unit has), and lists every open file, 25 ms of the reactor's time when there are 19,000.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_SELF: Final = "/proc/self"
# Open files that are counted one by one, in some 3 ms.
_MANY: Final = 2000


class ProcessNumbers(Collector):
    """Collects ``process_*``.

    :param started: wall clock, seconds since the epoch.
    :param folder: where the kernel tells about this process.
    """

    def __init__(self, started: float, folder: str = _SELF) -> None:
        self._started = started
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now. What this system does not tell is left out."""
        yield GaugeMetricFamily(
            "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", self._started
        )
        used, (most, _) = resource.getrusage(resource.RUSAGE_SELF), resource.getrlimit(resource.RLIMIT_NOFILE)
        yield CounterMetricFamily(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            used.ru_utime + used.ru_stime,
        )
        yield GaugeMetricFamily("process_max_fds", "Maximum number of open file descriptors.", most)
        try:
            with open(f"{self._folder}/statm", "rb") as statm:
                virtual, resident = map(int, statm.read().split()[:2])
            page = resource.getpagesize()
            yield GaugeMetricFamily("process_virtual_memory_bytes", "Virtual memory size in bytes.", virtual * page)
            yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory size in bytes.", resident * page)
            yield GaugeMetricFamily("process_open_fds", "Number of open file descriptors.", self._open_files())
        except OSError:
            return

    def _open_files(self) -> int:
        # Linux 6.2 and later says how many there are, somewhat too many at times: good enough where counting is slow.
        files = f"{self._folder}/fd"
        told = os.stat(files).st_size
        return told if told > _MANY else len(os.listdir(files))
