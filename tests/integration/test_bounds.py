"""Every wait and every buffer has an end (security.md, "Bounds"); and the destinations that nobody reaches."""

from __future__ import annotations

import hashlib
import os
import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.origin import Arrival, Origin, echo, read_request, respond
from tests.integration.client import (
    WHOLE,
    ask,
    connect,
    connect_head,
    get,
    get_head,
    pause,
    post,
    post_head,
    read_head,
    verify,
)
from tests.integration.sidecar import Sidecar, head_of, read_all, until

MIB = 1024 * 1024
GIB = 1024 * MIB
# From linux/in.h, 6.3 and later: which local ports this socket may use.
IP_LOCAL_PORT_RANGE = 51


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


def resident(sidecar: Sidecar) -> int:
    """Bytes of memory that the daemon occupies."""
    status = Path(f"/proc/{sidecar.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def descriptors(sidecar: Sidecar) -> int:
    """Files and sockets that the daemon has open."""
    return len(os.listdir(f"/proc/{sidecar.process.pid}/fd"))


# -- memory ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("route", "size"), [("GET", GIB), ("CONNECT", 256 * MIB)])
def test_a_stalled_reader(tmp_path: Path, route: str, size: int) -> None:
    """A client that stops reading stops the origin: memory stays bounded, and all of it arrives later, unharmed."""
    sent = {"bytes": 0}
    pattern = os.urandom(MIB)
    digest = hashlib.sha1()

    def stream(connection: socket.socket, arrival: Arrival) -> None:
        read_request(connection, arrival)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for number in range(size // MIB):
            block = number.to_bytes(8, "big") + pattern[8:]
            digest.update(block)
            connection.sendall(block)
            sent["bytes"] += MIB

    with Origin(stream) as origin, Sidecar(tmp_path) as sidecar:
        assert get(sidecar, "10.0.0.1").status == 451  # warm
        before = peak = resident(sidecar)
        with sidecar.connect(timeout=60) as client:
            if route == "CONNECT":
                client.sendall(connect_head(origin.netloc))
                assert read_head(client).startswith(b"HTTP/1.1 200 ")
            client.sendall(get_head(origin.netloc))
            for _ in range(30):
                pause(0.1)
                peak = max(peak, resident(sidecar))
            stalled_at = sent["bytes"]
            pause(0.5)
            assert sent["bytes"] == stalled_at < 64 * MIB, "the origin was read on"

            received, got = hashlib.sha1(), 0
            buffer = bytearray(4 * MIB)
            head, _, rest = read_head(client).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            received.update(rest)
            got += len(rest)
            while count := client.recv_into(buffer):
                received.update(memoryview(buffer)[:count])
                got += count
                if got % (64 * MIB) < count:
                    peak = max(peak, resident(sidecar))
        assert got == size
        assert received.digest() == digest.digest()
        assert peak - before < 64 * MIB


def test_all_bodies_together(tmp_path: Path, origin: Origin) -> None:
    """EVE_PROXY_MAX_BUFFERED: what has no room is a certified 503 with Retry-After, and there is room again later."""
    size = 100_000
    with Sidecar(tmp_path, EVE_PROXY_MAX_BODY=str(size), EVE_PROXY_MAX_BUFFERED="150000") as sidecar:
        with sidecar.connect() as first:
            first.sendall(post_head(origin.netloc, size) + b"x" * (size - 1))
            pause(0.2)
            answer = post(sidecar, origin, b"y" * size)
            assert (answer.status, answer.fields["retry-after"]) == (503, "1")
            assert b"EVE_PROXY_MAX_BUFFERED" in answer.body
            assert answer.certificate is not None
            assert answer.certificate["verdict"] == "block"
            assert answer.certificate in sidecar.decisions()
            assert origin.reached() == 0
            first.sendall(b"x")
            assert read_all(first).startswith(b"HTTP/1.1 200 ")
        with sidecar.connect() as leaver:
            leaver.sendall(post_head(origin.netloc, size) + b"x" * (size - 1))
        assert until(lambda: post(sidecar, origin, b"y" * size).status == 200)


# -- connections -----------------------------------------------------------------------------------------------


def test_too_many_connections(tmp_path: Path, origin: Origin) -> None:
    """One connection over EVE_PROXY_MAX_CONNECTIONS is told to come again; those within are served."""
    with Sidecar(tmp_path, EVE_PROXY_MAX_CONNECTIONS="5") as sidecar:
        five = [sidecar.connect() for _ in range(5)]
        pause(0.2)
        answer = ask(sidecar, b"")
        assert (answer.status, answer.fields["retry-after"]) == (503, "1")
        assert b"EVE_PROXY_MAX_CONNECTIONS" in answer.body
        # Certified and journalled although nothing was read, also for a client that says nothing and ends its side.
        with sidecar.connect() as silent:
            silent.shutdown(socket.SHUT_WR)
            assert read_all(silent).startswith(b"HTTP/1.1 503 ")
        recorded = sidecar.decisions()
        assert recorded[0] == answer.certificate
        assert [(each["verdict"], each["matched_vector"], each["request"]) for each in recorded] == [
            ("block", "overload", None)
        ] * 2
        for _ in range(20):
            assert ask(sidecar, b"").status == 503
        assert len(sidecar.decisions()) == 10
        five[4].sendall(get_head(origin.netloc))
        assert read_all(five[4]).startswith(b"HTTP/1.1 200 ")
        for connection in five:
            connection.close()
        assert until(lambda: get(sidecar, origin).status == 200)
        assert sidecar.stop() == 0
    assert [record["record"]["kinds"] for record in sidecar.records() if record["kind"] == "suppressed"] == [
        {"overload": 12}
    ]
    assert verify(sidecar.journal)[0] == WHOLE


def test_slow_heads(tmp_path: Path) -> None:
    """A head that trickles is cut off after ten seconds with 408; who says nothing at all is just let go."""
    outcomes: dict[str, tuple[float, bytes]] = {}

    def trickle(name: str, text: bytes) -> None:
        started = time.monotonic()
        with sidecar.connect(timeout=20) as client:
            data = b""
            client.settimeout(0.7)
            position = 0
            while time.monotonic() - started < 15:
                client.sendall(text[position : position + 1])
                position += 1
                try:
                    data = client.recv(65536)
                    break
                except TimeoutError:
                    continue
            outcomes[name] = (time.monotonic() - started, data)

    with Sidecar(tmp_path) as sidecar:
        texts = {"silent": b"", "line": b"GET http://example.com/" + b"a" * 50, "fields": b"GET / HTTP/1.1\r\nX-A: bcd"}
        threads = [threading.Thread(target=trickle, args=item) for item in texts.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert outcomes["silent"][1] == b""
        for name in ("line", "fields"):
            assert outcomes[name][1].startswith(b"HTTP/1.1 408 ")
        assert all(9.5 < seconds < 11.5 for seconds, _ in outcomes.values()), outcomes


def test_five_hundred_idle_tunnels(tmp_path: Path) -> None:
    """Many tunnels that say nothing cost little, still work, and leave nothing behind."""
    count = 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4 * count:
        pytest.skip(f"only {hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4 * count), hard))
    try:
        with Origin(echo) as origin, Sidecar(tmp_path) as sidecar:
            assert connect(sidecar, origin).status == 200
            until(lambda: origin.arrivals and origin.arrivals[0].closed.is_set())
            files, memory = descriptors(sidecar), resident(sidecar)
            tunnels = [sidecar.connect() for _ in range(count)]
            for tunnel in tunnels:
                tunnel.sendall(connect_head(origin.netloc))
            for tunnel in tunnels:
                assert read_head(tunnel).startswith(b"HTTP/1.1 200 ")
            assert resident(sidecar) - memory < count * 40 * 1024
            assert descriptors(sidecar) >= files + 2 * count
            for number, tunnel in enumerate(tunnels):
                tunnel.sendall(b"%d" % number)
            for number, tunnel in enumerate(tunnels):
                assert tunnel.recv(100) == b"%d" % number
            for tunnel in tunnels:
                tunnel.close()
            until(lambda: descriptors(sidecar) <= files)
            assert all(until(arrival.closed.is_set) for arrival in origin.arrivals)
            assert len(sidecar.decisions()) == count + 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- floods ----------------------------------------------------------------------------------------------------


def test_a_flood_of_strangers_does_not_fill_the_disk(tmp_path: Path, origin: Origin) -> None:
    """Ten refusals of one peer a minute have records; the others are answered alike and counted in one at the end."""
    flood = 40
    with Sidecar(tmp_path, EVE_PROXY_ALLOWED_CLIENTS="10.0.0.0/8") as sidecar:
        answers = [(post if number % 2 else connect)(sidecar, origin) for number in range(flood)]
        assert {answer.status for answer in answers} == {403}
        assert all(b"EVE_PROXY_ALLOWED_CLIENTS" in answer.body for answer in answers)
        certified = [answer.certificate for answer in answers if answer.certificate is not None]
        assert certified == sidecar.decisions()
        assert len(certified) == 10
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/", 403)):
            assert (
                ask(sidecar, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()).status == status
            )
        assert origin.reached() == 0
        assert sidecar.stop() == 0
    kinds = [record["kind"] for record in sidecar.records()]
    assert kinds == ["session_open", *["decision"] * 10, "suppressed", "session_close"]
    told = sidecar.records()[-2]["record"]
    counted = flood - 10 + 1  # and the one that asked for "/"
    assert (told["count"], told["peers"]) == (counted, {"127.0.0.1": counted})
    assert verify(sidecar.journal)[0] == WHOLE


class Unread(Sidecar):
    """A sidecar whose output nobody reads once it listens."""

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if match := self._pattern.search(line):
                self.match = match
                break
        self._ready.set()


def test_a_log_that_nobody_reads(tmp_path: Path, origin: Origin) -> None:
    """When the collector of the log stalls, requests are decided and recorded, and SIGTERM ends the daemon in order."""
    count = 400
    sidecar = Unread(tmp_path)
    try:
        for _ in range(count):
            answer = get(sidecar, origin)
            assert (answer.status, answer.seconds < 1.0) == (200, True)
        assert len(sidecar.decisions()) == count
        assert sidecar.stop() == 0
        assert sidecar.records()[-1]["kind"] == "session_close"
    finally:
        if sidecar.process.poll() is None:
            sidecar.kill()


# -- destinations ----------------------------------------------------------------------------------------------

LOOPBACK = (
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::5efe:127.0.0.1]",
    "0.0.0.0",
    "0",
    "[::]",
)
GUARDED = (
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[fe80::1]",
    "[fc00::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with Sidecar(tmp_path_factory.mktemp("guarded"), EVE_PROXY_ALLOWED_NETWORKS="") as running:
        yield running


@pytest.mark.parametrize("host", LOOPBACK + GUARDED)
def test_guarded_addresses_by_every_spelling(guarded: Sidecar, origin: Origin, host: str) -> None:
    """However an address is written, and whether by GET or CONNECT: refused, certified, and nobody is called."""
    for way in (get, connect):
        answer = way(guarded, f"{host}:{origin.port}")
        assert answer.status == 451, answer.raw
        assert answer.refusal["vector"] == "destination"
        assert answer.certificate in guarded.decisions()
    assert origin.reached() == 0


def test_a_name_that_leads_to_a_guarded_address(guarded: Sidecar, origin: Origin) -> None:
    """A name is allowed, looked up, and its address refused by a second certificate that names the first."""
    answer = get(guarded, f"localhost:{origin.port}")
    assert (answer.status, answer.refusal["vector"]) == (451, "destination")
    assert answer.certificate is not None
    first, second = guarded.decisions()[-2:]
    assert second == answer.certificate
    assert (first["verdict"], second["verdict"], second["parent"]) == ("allow", "block", first["certificate_id"])
    assert origin.reached() == 0


OURSELVES = ("127.0.0.1", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]", "[::1]", "localhost")
# All but one: nobody listens on ::1 when 127.0.0.1 alone is bound.
OWN_NAMES = [(bound, host) for bound in ("127.0.0.1", "0.0.0.0", "::") for host in OURSELVES]
OWN_NAMES.remove(("127.0.0.1", "[::1]"))


@pytest.mark.parametrize(("bound", "host"), OWN_NAMES)
def test_the_proxy_does_not_dial_itself(own: dict[str, Sidecar], bound: str, host: str) -> None:
    """Our own listener is refused by every name for it, even where all of loopback is permitted."""
    sidecar = own[bound]
    for way in (get, connect):
        answer = way(sidecar, f"{host}:{sidecar.port}")
        assert answer.status == 451, answer.raw
        assert answer.refusal["vector"] == "destination"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sidecar]]:
    networks = "127.0.0.0/8,0.0.0.0/32,::1/128,::/128"
    running = {
        bound: Sidecar(
            tmp_path_factory.mktemp("own"),
            EVE_PROXY_HOST=bound,
            EVE_PROXY_ALLOWED_NETWORKS=networks,
            EVE_PROXY_CONNECT_PORTS="*",
        )
        for bound in ("127.0.0.1", "0.0.0.0", "::")
    }
    yield running
    for sidecar in running.values():
        assert sidecar.stop() == 0


def test_a_client_with_a_port_that_we_use_upstream(tmp_path: Path) -> None:
    """A local client is served although the kernel gave it the port number of one of our connections to an origin."""
    peers: list[int] = []

    def note(connection: socket.socket, arrival: Arrival) -> None:
        peers.append(connection.getpeername()[1])
        respond(b"ok")(connection, arrival)

    with Origin(note) as origin, Sidecar(tmp_path) as sidecar:
        assert get(sidecar, origin).status == 200
        with socket.socket() as client:
            client.settimeout(10)
            try:
                only = struct.pack("=I", peers[0] << 16 | peers[0])
                client.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, only)
            except OSError as error:
                pytest.skip(f"the kernel cannot pick a port for us: {error}")
            client.connect(("127.0.0.1", sidecar.port))
            client.sendall(get_head(origin.netloc))
            assert head_of(read_all(client))[0] == 200
