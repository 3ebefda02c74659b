"""A proxy as it is composed, with a real journal on a faulty disk, on a reactor in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock

from eve_proxy.audit.suppression import Suppressor
from eve_proxy.composition import Parts, compose, configure
from tests.enforcement.bench import PeerTransport
from tests.fakes.journal import Bench as JournalBench
from tests.fakes.ports import FakeClock
from tests.integration.sidecar import head_of

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: proxy\r\n\r\n"


class ComposedProxy:
    """One proxy; its clock is the machine's where ``composition`` chooses it."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.journal = JournalBench(folder / "journal.jsonl")
        self.suppressor = Suppressor(FakeClock())
        self.reactor = MemoryReactorClock()
        config, plugins = configure({"JWT_SECRET_KEY": "a secret of the metrics' tests, long enough", **environ})
        self.parts: Parts = compose(
            config,
            reactor=self.reactor,
            journal=self.journal.journal,
            own_ports={3128},
            plugins=plugins,
            suppressor=self.suppressor,
            jwks=bytes,
            write_line=lambda line: None,
        )

    def say(self, data: bytes, peer: str = "127.0.0.1") -> PeerTransport:
        """A client that sends ``data``."""
        client = self.parts.factory.buildProtocol(None)
        transport = PeerTransport(peer)
        transport.protocol = client
        client.makeConnection(transport)
        client.dataReceived(data)
        return transport

    def ask(self, data: bytes, peer: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
        """What it is answered."""
        return head_of(self.say(data, peer).value())

    @property
    def samples(self) -> dict[str, float]:
        """The page, fresh: ``name{labels}`` to value."""
        self.parts.exposition._given.clear()
        return parsed(self.parts.exposition.render(b"")[1])


def parsed(page: bytes) -> dict[str, float]:
    """``name{labels}`` to value, as a page in text format spells them."""
    rows: dict[str, Any] = {}
    for line in page.decode().splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            rows[name] = float(value)
    return rows
