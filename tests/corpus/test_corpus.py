"""The smuggling corpus: one file per fault, and requests that must be accepted, with h11 as second opinion.

``requests/`` and ``responses/`` hold raw bytes; ``expected.json`` beside them says by which rule each is refused.
``h11.json`` records the files that h11 accepts: what a looser parser lets through, and so where ours matters.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h11
import pytest

from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import Malformed, UpstreamFailed
from eve_proxy.wire.events import Data, End, RequestEvent, RequestHead
from eve_proxy.wire.request_reader import RequestReader
from eve_proxy.wire.response_reader import ResponseReader

HERE = Path(__file__).parent
US = Authority(host="127.0.0.1", port=3128)

# What h11 shows and we drop on purpose.
NOT_PASSED_ON = {
    *(b"connection", b"content-length", b"expect", b"host", b"http2-settings", b"keep-alive", b"proxy-authorization"),
    *(b"proxy-connection", b"te", b"transfer-encoding", b"upgrade", b"x-eve-verdict", b"x-private"),
}
# A complete and sound request comes before the fault.
SOUND_START = "pipelined"
# Targets are ASCII to h11; to us a host is what IDNA makes of it.
NOT_ASCII = {"connect-ideographic-dot", "get-ideographic-dot"}


def expected(folder: str) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = json.loads((HERE / folder / "expected.json").read_text(encoding="utf-8"))
    return result


REQUESTS, RESPONSES = expected("requests"), expected("responses")
VALID = sorted(path.stem for path in (HERE / "valid").glob("*.http"))


def raw(folder: str, name: str) -> bytes:
    return (HERE / folder / f"{name}.http").read_bytes()


def read_all(data: bytes) -> list[RequestEvent]:
    reader = RequestReader(default_authority=US)
    events = reader.feed(data)
    while isinstance(events[-1], End) and reader.buffered:
        events += reader.next_message()
    return events


def read_by_h11(connection: h11.Connection, data: bytes) -> list[Any]:
    """Every event up to where h11 wants more, or to what it cannot read; a complete message ends with EndOfMessage.

    :raises h11.RemoteProtocolError: h11 refuses the bytes too.
    """
    connection.receive_data(data)
    events: list[Any] = []
    while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
        events.append(event)
    return events


def h11_takes(folder: str, name: str) -> bool:
    """Whether h11 reads at least one complete message in it."""
    if folder == "requests":
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=200_000)
    else:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=200_000)
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        connection.send(h11.EndOfMessage())
    try:
        events = read_by_h11(connection, raw(folder, name))
    except h11.RemoteProtocolError:
        return False
    return any(isinstance(event, h11.EndOfMessage) for event in events)


def test_the_corpus_is_whole() -> None:
    """A file without an expectation, or an expectation without a file, does not go unnoticed."""
    for folder, faults, least in (("requests", REQUESTS, 60), ("responses", RESPONSES, 30)):
        assert sorted(path.stem for path in (HERE / folder).glob("*.http")) == sorted(faults)
        assert len(faults) >= least
    assert len(VALID) >= 30


@pytest.mark.parametrize("name", REQUESTS)
def test_faulty_request_is_refused(name: str) -> None:
    """Each fault is refused by its own rule and status, whole and byte by byte."""
    data = raw("requests", name)
    with pytest.raises(Malformed) as caught:
        read_all(data)
    assert {"fault": caught.value.fault, "status": caught.value.status} == REQUESTS[name]
    if not name.startswith(SOUND_START):
        reader = RequestReader(default_authority=US)
        pieces = [data[at : at + 1] for at in range(len(data))]
        with pytest.raises(Malformed):
            list(map(reader.feed, pieces))


@pytest.mark.parametrize("name", RESPONSES)
def test_faulty_response_is_refused(name: str) -> None:
    """Each fault of an upstream is refused by its own rule."""
    with pytest.raises(UpstreamFailed) as caught:
        ResponseReader("GET").feed(raw("responses", name))
    assert isinstance(caught.value.__cause__, Malformed)
    assert caught.value.__cause__.fault == RESPONSES[name]["fault"]


@pytest.mark.parametrize("name", VALID)
def test_valid_request_is_read_as_h11_reads_it(name: str) -> None:
    """Method, fields and body of a sound request are beyond dispute."""
    data = raw("valid", name)
    events = RequestReader(default_authority=US).feed(data)
    head = events[0]
    assert isinstance(head, RequestHead)
    if name in NOT_ASCII:
        assert head.request.authority.host == "example.com"
        return
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=200_000)
    request, *others = read_by_h11(connection, data.removeprefix(b"\r\n\r\n"))
    assert isinstance(request, h11.Request)
    assert request.method.decode() == head.request.method
    assert request.http_version.decode() == head.version
    fields = [(field, value) for field, value in request.headers if field not in NOT_PASSED_ON]
    if b"max-forwards" in dict(fields):
        fields = [(field, b"%d" % max(0, int(value) - 1)) for field, value in fields]
    assert list(head.request.headers) == fields
    body = b"".join(bytes(event.data) for event in others if isinstance(event, h11.Data))
    assert body == b"".join(event.data for event in events if isinstance(event, Data))
    assert isinstance(others[-1], h11.EndOfMessage)
    assert sum(isinstance(event, End) for event in events) == 1


def test_where_h11_is_laxer(capsys: pytest.CaptureFixture[str]) -> None:
    """The record of what a good but looser parser accepts is true for the release of h11 that it names."""
    laxer = {
        folder: [name for name in sorted(faults) if not name.startswith(SOUND_START) and h11_takes(folder, name)]
        for folder, faults in (("requests", REQUESTS), ("responses", RESPONSES))
    }
    with capsys.disabled():
        print(f"\nh11 {h11.__version__} accepts", {folder: len(names) for folder, names in laxer.items()}, end=" ")
    recorded = json.loads((HERE / "h11.json").read_text(encoding="utf-8"))
    if recorded["h11"] == h11.__version__:
        assert recorded["accepts"] == laxer
