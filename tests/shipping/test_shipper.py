"""The loop that copies, over a store that fails in every way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eve_proxy.model.certificate import LogLink
from eve_proxy.shipping.shipper import Shipper
from eve_proxy.shipping.source import Source
from eve_proxy.shipping.store import Batch, StoreMoved, StoreRefused, StoreUnavailable
from eve_proxy.signing.spelling import read_line
from eve_proxy.system import SystemEntropy
from tests.fakes.journal import Bench


class MemoryStore:
    """A store with faults to order: ``down``, ``lost`` (stored, but the answer is lost), ``moved``, ``refused``."""

    def __init__(self) -> None:
        self.lines: dict[str, list[bytes]] = {}
        self.faults: list[str] = []
        self.asked = 0

    def end(self, log_id: str) -> LogLink | None:
        self.asked += 1
        if self.faults and self.faults[0] in ("down", "refused"):
            self._fail()
        lines = self.lines.get(log_id)
        if not lines:
            return None
        fields = read_line(lines[-1][:-1])
        return LogLink(id=log_id, seq=fields["log"]["seq"] + 1, prev=fields["content_hash"])

    def append(self, batch: Batch) -> None:
        lines = self.lines.setdefault(batch.first.id, [])
        fault = self.faults[0] if self.faults else ""
        if fault and fault != "lost":
            self._fail()
        if batch.first.seq != len(lines):
            raise StoreMoved("taken")
        lines.extend(batch.lines)
        if fault:
            self._fail()

    def _fail(self) -> None:
        fault = self.faults.pop(0)
        if fault == "moved":
            raise StoreMoved("taken")
        raise StoreRefused("no such table") if fault == "refused" else StoreUnavailable("connection reset")

    def close(self) -> None:
        pass


class Shipping:
    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.bench = Bench(folder / "events.jsonl", entropy=SystemEntropy(), **options)
        self.store = MemoryStore()
        self.waits: list[float] = []
        self.said: list[str] = []
        self.stop_after: int | None = None
        self.begin()

    def begin(self) -> None:
        """As a process that was just started."""
        source = Source(self.folder, most_lines=3)
        self.shipper = Shipper(source, self.store, wait=self.wait, random=lambda: 1.0, say=self.said.append)

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.stop_after is not None and len(self.waits) >= self.stop_after

    @property
    def stored(self) -> list[bytes]:
        return self.store.lines.get(self.bench.journal.head.id, [])

    def written(self) -> list[bytes]:
        lines = [line for path in self.folder.glob("events.jsonl*") for line in path.open("rb") if line[:1] == b"{"]
        return sorted(lines, key=lambda line: int(read_line(line[:-1])["log"]["seq"]))


@pytest.fixture
def shipping(tmp_path: Path) -> Shipping:
    return Shipping(tmp_path)


def test_everything_once(shipping: Shipping) -> None:
    """All that is there, in order; a second look adds nothing, and does not ask the store again."""
    for _ in range(7):
        shipping.bench.record()
    assert shipping.shipper.once()
    assert shipping.stored == shipping.written()
    assert shipping.shipper.once()
    assert len(shipping.stored) == 8
    assert shipping.store.asked == 1
    assert shipping.shipper.shipped == 8


def test_an_outage_is_waited_out(shipping: Shipping) -> None:
    """Nothing is lost or skipped; pauses double up to a minute, and start small again after a success."""
    shipping.bench.record()
    shipping.store.faults = ["down"] * 10
    assert shipping.shipper.once()
    assert shipping.waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert shipping.stored == shipping.written()
    shipping.bench.record()
    shipping.store.faults = ["down"]
    shipping.shipper.once()
    assert shipping.waits[-1] == 0.5
    assert any("connection reset" in said for said in shipping.said)


def test_a_lost_answer_is_not_stored_twice(shipping: Shipping) -> None:
    """The store had taken the batch when the connection broke: it is asked, and the copy goes on behind it."""
    for _ in range(5):
        shipping.bench.record()
    shipping.store.faults = ["lost", "lost"]
    assert shipping.shipper.once()
    assert shipping.stored == shipping.written()


def test_stopped_during_an_outage(shipping: Shipping) -> None:
    """SIGTERM does not wait for a store to come back."""
    shipping.bench.record()
    shipping.store.faults = ["down"] * 100
    shipping.stop_after = 2
    assert not shipping.shipper.once()
    assert shipping.stored == []


def test_a_store_that_will_never_take_it(shipping: Shipping) -> None:
    """A missing table or permission ends the command instead of being tried for ever."""
    shipping.store.faults = ["refused"]
    with pytest.raises(StoreRefused):
        shipping.shipper.once()


def test_one_broken_log_does_not_keep_the_others(shipping: Shipping, tmp_path: Path) -> None:
    """Its fault is said once, not with every look; it is copied on when the fault is gone."""
    other = Bench(tmp_path / "other.jsonl", entropy=SystemEntropy())
    shipping.bench.record()
    content = shipping.bench.path.read_bytes()
    shipping.bench.path.write_bytes(content.replace(b"allow", b"block", 1))
    for _ in range(3):
        assert shipping.shipper.once()
    assert len(shipping.store.lines[other.journal.head.id]) == 1
    assert list(shipping.shipper.faults) == [shipping.bench.journal.head.id]
    assert len([said for said in shipping.said if said.startswith("not shipped")]) == 1
    shipping.bench.path.write_bytes(content)
    shipping.begin()
    assert shipping.shipper.once()
    assert shipping.shipper.faults == {}
    assert len(shipping.stored) == 2


def test_follow_looks_again_until_it_is_told_to_stop(shipping: Shipping) -> None:
    """What is written between two looks is copied with the next."""
    shipping.stop_after = 3
    wait = shipping.wait

    def meanwhile(seconds: float) -> bool:
        shipping.bench.record()
        return wait(seconds)

    shipping.shipper._wait = meanwhile
    shipping.shipper.follow(5)
    assert shipping.waits == [5, 5, 5]
    assert len(shipping.stored) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    steps=st.lists(
        st.sampled_from(
            ["record", "record", "ship", "ship", "restart", "rename", "down", "lost", "moved", "fault", "second"]
        ),
        max_size=40,
    )
)
def test_whatever_happens_every_record_is_stored_once(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Killed shippers, two at once, lost answers, rotations and disk faults of the journal, in any order."""
    shipping = Shipping(tmp_path_factory.mktemp("ship"))
    second = Shipper(
        Source(shipping.folder, most_lines=2), shipping.store, wait=shipping.wait, random=lambda: 0.0, say=len
    )
    for number, step in enumerate([*steps, "ship"]):
        if step == "record":
            shipping.bench.record()
        elif step == "ship":
            assert shipping.shipper.once()
        elif step == "second":
            assert second.once()
        elif step == "restart":
            shipping.begin()
        elif step == "rename" and shipping.bench.path.exists():
            shipping.bench.path.rename(shipping.folder / f"events.jsonl.{number}")
        elif step == "fault":
            shipping.bench.disk.sync_failures = 1
            shipping.bench.record()
            shipping.bench.clock.pump([0, 0.25, 0.5])
        elif step in ("down", "lost", "moved"):
            shipping.store.faults.append(step)
    shipping.store.faults.clear()
    assert shipping.shipper.once()
    assert shipping.shipper.faults == {}
    assert shipping.stored == shipping.written()
