"""Random conversations with a whole proxy: whatever happens in whatever order, nothing leaves without its record.

Clients send valid, blocked and malformed bytes cut anywhere, close and vanish; governor, journal, resolver and dialler
answer late, wrongly or never; time passes, with and without the reactor noticing. After every step the laws hold.
"""

from __future__ import annotations

import gc
import hashlib
import re
import zlib
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from eve_proxy.enforcement.admin import Admin
from eve_proxy.enforcement.router import Router
from eve_proxy.governance.deadline import race
from eve_proxy.model.certificate import GENESIS, DecisionCertificate, Draft, LogLink
from eve_proxy.model.errors import GovernorUnavailable, JournalUnavailable, ResolveFailed, UpstreamFailed
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.verdict import Modification, Outcome, Verdict
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from eve_proxy.wire.events import Data, End, Informational, ResponseHead
from eve_proxy.wire.machine import EGRESS, State
from eve_proxy.wire.response_reader import ResponseReader
from tests.enforcement.bench import GateBench
from tests.fakes.client_hello import client_hello
from tests.fakes.ports import SECRET
from tests.transport.bench import ClientTransport, FakeDialler, is_whole

DEADLINE = 2.0
PICK = st.integers(0, 7)
# Most messages arrive in one piece, or nothing would ever get far.
CUT = st.just(10_000) | st.integers(1, 300)
_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

PACKED = zlib.compress(b"z" * 90)
# What a client may say; %d becomes a number that no other request has.
SPOKEN = {
    "get": b"GET http://a.example/%d HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "head": b"HEAD http://a.example/%d HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "old": b"GET http://a.example/%d HTTP/1.0\r\n\r\n",
    "last": b"GET http://a.example/%d HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
    "post": b"POST http://a.example/%d HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nbody-data",
    "expect": b"PUT http://a.example/%d HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nwait",
    "chunked": b"POST http://b.example:81/%d HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n",
    "packed": b"POST http://a.example/%d HTTP/1.1\r\nHost: a\r\nContent-Encoding: deflate\r\nContent-Length: "
    + b"%d\r\n\r\n%b".replace(b"%d", str(len(PACKED)).encode()).replace(b"%b", PACKED.replace(b"%", b"%%")),
    "declared too large": b"POST http://a.example/%d HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n" + b"x" * 101,
    "too large": b"POST http://a.example/%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"60\r\n" + b"y" * 96 + b"\r\n60\r\n" + b"y" * 96 + b"\r\n0\r\n\r\n",
    "bomb": b"POST http://a.example/%d HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    "blocked": b"GET http://x.blocked.example/%d HTTP/1.1\r\nHost: a\r\n\r\n",
    "private": b"GET http://10.0.0.%d/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "connect": b"CONNECT c%d.example:443 HTTP/1.1\r\nHost: c\r\n\r\n",
    "connect elsewhere": b"CONNECT c%d.example:25 HTTP/1.1\r\nHost: c\r\n\r\n",
    "upgrade": b"GET http://a.example/%d HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "health": b"GET /healthz?%d HTTP/1.1\r\nHost: a\r\n\r\n",
    "health with a body": b"GET /healthz?%d HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n",
    "last hop": b"OPTIONS http://a.example/%d HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
    "garbage": b"GET http://a.example/%d HTTP/1.1\nHost: a\n\n",
    "smuggled": b"POST http://a.example/%d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n",
    "bad chunk": b"POST http://a.example/%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n",
}
BODIES = {"post": b"body-data", "expect": b"wait", "chunked": b"abcdefg", "packed": PACKED}

ANSWERS = {
    "allow": Verdict(outcome=Outcome.ALLOW, reason="fine"),
    "modify": Verdict(outcome=Outcome.ALLOW, reason="changed", obligations=(Modification(field="body", value="new"),)),
    "odd": Verdict(outcome=Outcome.ALLOW, reason="odd", obligations=(Modification(field="url", value="new"),)),
    "block": Verdict(outcome=Outcome.BLOCK, reason="no", pillar="128"),
    "fail open": Verdict(outcome=Outcome.FAIL_OPEN, reason="not a governor's word"),
    "nothing": None,
    "failure": GovernorUnavailable("refused"),
    "defect": ValueError("a defect"),
}
UPSTREAM = {
    "whole": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "begun": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok",
    "surplus": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-EVE-Verdict: FAKE\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n",
    "early": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    "switch": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\nframes",
    "empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n"
    b"2\r\nok\r\n0\r\nX-EVE-Verdict: FAKE\r\n\r\n",
    "garbage": b"SMTP ready\r\n\r\n",
}


@dataclass
class Waiting:
    """Calls that wait for an answer, each with what it was about."""

    calls: list[tuple[Any, Deferred[Any]]] = field(default_factory=list)

    def add(self, what: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.calls.append((what, result))
        return result

    def take(self, pick: int) -> tuple[Any, Deferred[Any]]:
        return self.calls.pop(pick % len(self.calls))


class Line(ClientTransport):
    """A client connection with a port of its own, and what the client has still to send on it; or an upstream's.

    :ivar host: where its last CONNECT wanted to go.
    """

    protocol: Any = None
    host: str | None = None

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.to_send = b""
        self.lost = self.closed_by_client = False
        self.begun = self.malformed = self.severed = self.turned_away = 0

    def getPeer(self) -> Any:
        return type("Peer", (), {"host": "127.0.0.1", "port": self.port})

    @property
    def listening(self) -> bool:
        return not (self.lost or self.closed_by_client or self.producerState == "paused" or self.gone)

    @property
    def disconnected(self) -> bool:
        return self.lost

    @property
    def gone(self) -> bool:
        return "abort" in self.events or "close" in self.events

    def lose(self, reason: type[Exception]) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(reason()))


class Conversations(RuleBasedStateMachine):
    """One proxy, a few clients."""

    @initialize(connect_sni=st.sampled_from(("strict", "strict", "log", "off")))
    def start(self, connect_sni: str) -> None:
        self.connect_sni = connect_sni
        self.failures: list[Any] = []
        globalLogPublisher.addObserver(self.observe)
        self.asked, self.recording, self.resolving, self.tunnels = Waiting(), Waiting(), Waiting(), Waiting()
        self.exchanges: dict[str, Exchange] = {}
        self.asked_at: dict[str, float] = {}
        self.granted: set[str] = set()
        self.durable: dict[str, dict[str, Any]] = {}
        self.dialled: dict[str, int] = {}
        self.receivers: list[tuple[Any, Any, ResponseReader]] = []
        self.upstream_ends: list[Line] = []
        self.lines: list[Line] = []
        self.said: dict[str, bytes] = {}
        self.refused_addresses: set[str | None] = set()
        self.count = self.records = 0
        self.signer = HmacSigner(SECRET)
        self.bench = GateBench(
            blocked="blocked.example", max_body=100, buffered=250, max_connections=4, connect_sni=connect_sni
        )
        pipeline = replace(
            self.bench.gate.pipeline, governor=self, sink=self, resolver=self, race=race(self.bench.reactor_clock)
        )
        admission = replace(self.bench.gate.admission, pipeline=pipeline)
        gate = replace(self.bench.gate, pipeline=pipeline, admission=admission)
        admin = Admin(
            readiness=lambda: self.bench.readiness,
            certificates=self.bench.certificates,
            postures=self.bench.postures,
        )
        self.router = Router(gate, admin)
        self.bench.factory.site = self
        self.bench.factory.dialler = CheckingDialler(self)  # type: ignore[assignment]

    def observe(self, event: dict[str, Any]) -> None:
        if "log_failure" in event:
            self.failures.append(event["log_failure"])

    # -- the ports ---------------------------------------------------------------------------------------------

    name = "fake.governor"

    def evaluate(self, exchange: Exchange) -> Deferred[Any]:
        self.exchanges[exchange.id] = exchange
        self.asked_at[exchange.id] = self.bench.clock.monotonic()
        return self.asked.add(exchange)

    def record(self, draft: Draft) -> Deferred[DecisionCertificate]:
        link = LogLink(id="log_0123456789abcdef", seq=self.records, prev=GENESIS)
        self.records += 1
        if draft.matched_vector == "destination":
            self.refused_addresses.add(draft.parent)
        if draft.matched_vector == "sni":
            allow = self.durable[draft.parent or ""]
            assert (allow["verdict"], draft.verdict) == ("allow", "block")
            port = self.exchanges[allow["certificate_id"]].peer_port
            next(line for line in self.lines if line.port == port).severed += 1
        return self.recording.add(seal(draft, link, self.signer))

    def resolve(self, host: str) -> Deferred[Any]:
        allowed = [c for c in self.durable.values() if c["verdict"] == "allow" and c["request"]["host"] == host]
        assert allowed, "a name was looked up before an allow was durable (laws 1 and 2)"
        return self.resolving.add(host)

    def begin(self, client: Any, head: Any) -> None:
        client.transport.begun += 1
        self.router.begin(client, head)

    def malformed(self, client: Any, error: Any) -> bytes:
        client.transport.malformed += 1
        return self.router.malformed(client, error)

    def overloaded(self, client: Any) -> None:
        client.transport.turned_away = 1
        self.router.overloaded(client)

    # -- clients -----------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.lines) < 6)
    @rule(what=st.sampled_from(sorted(SPOKEN)) | st.sampled_from(sorted(BODIES)), cut=CUT)
    def connect(self, what: str, cut: int) -> None:
        line = Line(50_000 + len(self.lines))
        line.protocol = self.bench.factory.buildProtocol(None)
        self.lines.append(line)
        line.protocol.makeConnection(line)
        self.say(len(self.lines) - 1, what, cut)

    @precondition(lambda self: self.lines)
    @rule(pick=PICK, what=st.sampled_from(sorted(SPOKEN)), cut=CUT)
    def say(self, pick: int, what: str, cut: int) -> None:
        self.count += 1
        line = self.lines[pick % len(self.lines)]
        line.to_send += SPOKEN[what] % self.count
        self.said[f"/{self.count}"] = BODIES.get(what, b"")
        if what == "connect":
            line.host = f"c{self.count}.example"
        self.deliver(line, cut)

    @precondition(lambda self: any(line.host for line in self.lines))
    @rule(pick=PICK, fronting=st.sampled_from((False, False, True)), cut=CUT)
    def say_hello(self, pick: int, fronting: bool, cut: int) -> None:
        connected = [line for line in self.lines if line.host]
        line = connected[pick % len(connected)]
        line.to_send += client_hello("front.example" if fronting else line.host)
        self.deliver(line, cut)

    @precondition(lambda self: any(line.to_send and line.listening for line in self.lines))
    @rule(pick=PICK, cut=CUT)
    def go_on(self, pick: int, cut: int) -> None:
        talking = [line for line in self.lines if line.to_send and line.listening]
        self.deliver(talking[pick % len(talking)], cut)

    def deliver(self, line: Line, size: int) -> None:
        if line.listening and line.to_send:
            data, line.to_send = line.to_send[:size], line.to_send[size:]
            line.protocol.dataReceived(data)

    @precondition(lambda self: any(line.listening for line in self.lines))
    @rule(pick=PICK, lost=st.booleans(), really=st.integers(0, 3))
    def leave(self, pick: int, lost: bool, really: int) -> None:
        if really:
            return
        talking = [line for line in self.lines if line.listening]
        line = talking[pick % len(talking)]
        if lost:
            line.lose(ConnectionLost)
        else:
            line.closed_by_client = True
            line.protocol.readConnectionLost()

    # -- answers -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.asked.calls)
    @rule(pick=PICK, what=st.sampled_from(sorted(ANSWERS)) | st.just("allow"))
    def govern(self, pick: int, what: str) -> None:
        exchange, result = self.asked.take(pick)
        if result.called:  # cancelled: too late
            return
        answer = ANSWERS[what]
        in_time = self.bench.clock.monotonic() - self.asked_at[exchange.id] < DEADLINE
        if what in ("allow", "modify") and in_time:
            self.granted.add(exchange.id)
        if isinstance(answer, Exception):
            result.errback(answer)
        else:
            result.callback(answer)

    @precondition(lambda self: self.recording.calls)
    @rule(pick=PICK, lands=st.sampled_from((True, True, True, False)))
    def commit(self, pick: int, lands: bool) -> None:
        certificate, result = self.recording.take(pick)
        if lands:
            self.durable[certificate.certificate_id] = certificate.to_dict()
            result.callback(certificate)
        else:
            result.errback(JournalUnavailable("disk full"))

    @precondition(lambda self: self.resolving.calls)
    @rule(pick=PICK, what=st.sampled_from(("93.184.216.34", "93.184.216.34", "127.0.0.1", "failure")))
    def look_up(self, pick: int, what: str) -> None:
        _, result = self.resolving.take(pick)
        if what == "failure":
            result.errback(ResolveFailed("no such name"))
        else:
            result.callback((ip_address(what),))

    @precondition(lambda self: self.receivers)
    @rule(pick=PICK, what=st.sampled_from(sorted(UPSTREAM)) | st.sampled_from(("reset", "whole")), cut=CUT)
    def respond(self, pick: int, what: str, cut: int) -> None:
        place = pick % len(self.receivers)
        receiver, handle, reader = self.receivers[place]
        if "abort" in handle.events or not self.play(receiver, reader, UPSTREAM.get(what, b"")[:cut]):
            del self.receivers[place]

    def play(self, receiver: Any, reader: ResponseReader, data: bytes) -> bool:
        """Feed an exchange as ``transport.upstream`` does: whether it goes on."""
        started = reader._phase.name not in ("HEAD", "DEAD")
        if started:  # a body that speaks HTTP would be counted as an answer
            data = data.replace(b"HTTP", b"http")
        try:
            events = reader.feed(data) if data else reader.eof()
        except UpstreamFailed as error:
            receiver.responseFailed(error, started)
            return False
        if not started and is_whole(events):
            receiver.responseWhole(events[0], b"".join([event.data for event in events[1:-1]]))
            return False
        for event in events:
            if isinstance(event, Data):
                receiver.responseData(event.data)
            elif isinstance(event, Informational):
                receiver.informational(event.head)
            elif isinstance(event, End):
                receiver.responseEnded(event.trailers)
                return False
            elif isinstance(event, ResponseHead) and event.upgrade is not None:
                receiver.upgraded(event, self.new_end(), reader.take_rest())
                return False
            else:
                receiver.responseStarted(event)
        receiver.flush()
        return True

    def new_end(self) -> Line:
        end = Line(443)
        self.upstream_ends.append(end)
        return end

    @precondition(lambda self: self.tunnels.calls)
    @rule(pick=PICK, connected=st.booleans())
    def reach(self, pick: int, connected: bool) -> None:
        permit, result = self.tunnels.take(pick)
        if result.called:  # cancelled: the client left
            return
        if connected:
            end = self.new_end()
            end.host = permit.authority.host
            result.callback(end)
        else:
            result.errback(UpstreamFailed("connection refused"))

    @precondition(lambda self: self.upstream_ends)
    @rule(pick=PICK, how=st.sampled_from(("data", "end", "reset")))
    def tunnelled(self, pick: int, how: str) -> None:
        end = self.upstream_ends[pick % len(self.upstream_ends)]
        if end.lost or end.gone or end.protocol is None:
            return
        if how == "data":
            end.protocol.dataReceived(b"through the tunnel")
        else:
            end.lose(ConnectionDone if how == "end" else ConnectionLost)

    @rule(pick=PICK, steps=st.integers(1, 6))
    def all_goes_well(self, pick: int, steps: int) -> None:
        """The usual course, so that conversations get somewhere."""
        for _ in range(steps):
            if self.asked.calls:
                self.govern(pick, "allow")
            elif self.recording.calls:
                self.commit(pick, lands=True)
            elif self.resolving.calls:
                self.look_up(pick, "93.184.216.34")
            elif self.tunnels.calls:
                self.reach(pick, connected=True)
            elif self.receivers:
                websocket = self.receivers[pick % len(self.receivers)][2]._websocket
                self.respond(pick, "switch" if websocket else "whole", 10_000)

    @precondition(lambda self: len(self.lines) < 6)
    @rule(what=st.sampled_from(("begun", "early", "garbage")))
    def request(self, what: str) -> None:
        """A GET whose answer begins, unless others wait for theirs before it."""
        self.connect("get", 10_000)
        self.all_goes_well(7, 3)
        if self.receivers:
            self.respond(len(self.receivers) - 1, what, 10_000)

    @precondition(lambda self: len(self.lines) < 6)
    @rule(said=st.sampled_from(("hello", "fronting", "get", "nothing")))
    def tunnel(self, said: str) -> None:
        """A CONNECT that comes to its 200, unless others wait for their answers before it, and what is said in it."""
        self.connect("connect", 10_000)
        self.all_goes_well(7, 4)
        if said in ("hello", "fronting"):
            self.say_hello(len([line for line in self.lines if line.host]) - 1, said == "fronting", 10_000)
        elif said == "get":
            self.say(len(self.lines) - 1, "get", 10_000)

    @precondition(lambda self: self.lines)
    @rule(really=st.integers(0, 7), over=st.booleans())
    def stop(self, really: int, over: bool) -> None:
        """The daemon stops: those who come from now on are late, and not one of their requests may leave."""
        factory = self.bench.factory
        if really:
            return
        if not factory.draining:
            factory.drain()
        elif over and not factory._connections:
            factory.dismiss()

    # -- time --------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from((0.1, 0.5, 0.5, 1.9, 2.0, 6.0, 61.0, 901.0)), noticed=st.booleans())
    def wait(self, seconds: float, noticed: bool) -> None:
        self.bench.clock.advance(seconds)
        if noticed:
            self.bench.reactor_clock.advance(seconds)

    # -- what must hold ----------------------------------------------------------------------------------------

    @invariant()
    def connections_that_were_closed_are_lost(self) -> None:
        for line in (*self.lines, *self.upstream_ends):
            if line.gone and line.protocol is not None:
                line.lose(ConnectionDone)

    @invariant()
    def no_egress_without_a_recorded_allow(self) -> None:
        for line in self.lines:
            client = line.protocol
            if getattr(getattr(client, "machine", None), "state", State.IDLE) in EGRESS:
                mine = [i for i in self.dialled if self.exchanges[i].peer_port == line.port]
                assert mine, "an egress state that nothing was dialled for"

    @invariant()
    def nothing_late_leaves(self) -> None:
        late = {line.port for line in self.lines if line.protocol is not None and getattr(line.protocol, "late", False)}
        assert not late & {self.exchanges[name].peer_port for name in self.dialled}

    @invariant()
    def one_answer_at_most(self) -> None:
        for line in self.lines:
            written = line.value()
            finals = [status for status in _STATUS.findall(written) if status not in (b"100", b"103")]
            # Plain HTTP in a tunnel reads a second answer: its refusal.
            assert len(finals) <= line.begun + line.malformed + line.severed + line.turned_away
            assert b"FAKE" not in written, "somebody else spoke in our name"

    @invariant()
    def strictly_nothing_travels_but_the_judged_name(self) -> None:
        for end in self.upstream_ends:
            if self.connect_sni == "strict" and end.host is not None and end.value():
                hello = client_hello(end.host)
                assert end.value().startswith(hello), "something else than the judged name's ClientHello travelled"

    @invariant()
    def memory_is_accounted_for(self) -> None:
        assert 0 <= self.bench.factory.account.held <= self.bench.factory.account.limit

    @invariant()
    def nothing_failed_unheard(self) -> None:
        assert not self.failures, self.failures[0].getTraceback()

    def teardown(self) -> None:
        for line in (*self.lines, *self.upstream_ends):
            if line.protocol is not None:
                line.lose(ConnectionLost)
        # Whoever still waits is answered now: nothing may come of it.
        dialled = dict(self.dialled)
        for _ in range(3):
            for waiting in (self.asked, self.recording, self.resolving, self.tunnels):
                while waiting.calls:
                    what, result = waiting.calls.pop()
                    if result.called:
                        continue
                    if waiting is self.recording:
                        self.durable[what.certificate_id] = what.to_dict()
                    answers = {id(self.asked): ANSWERS["allow"], id(self.recording): what}
                    result.callback(answers.get(id(waiting), (ip_address("93.184.216.34"),)))
        assert self.dialled == dialled, "somebody was dialled for a client that is gone"
        told = sorted(parent for parent, _ in self.bench.outcomes)
        allowed = {c["certificate_id"] for c in self.durable.values() if c["verdict"] == "allow"}
        assert told == sorted(allowed - self.refused_addresses), "not one outcome for each exchange that was let go"
        assert self.bench.factory.account.held == 0
        assert self.bench.factory.connections == 0
        self.bench.reactor_clock.advance(2000)
        assert not self.bench.reactor_clock.getDelayedCalls()
        gc.collect()
        globalLogPublisher.removeObserver(self.observe)
        self.nothing_failed_unheard()


class CheckingDialler(FakeDialler):
    """Refuses to be called for anything but a recorded allow of exactly what it is given."""

    def __init__(self, test: Conversations) -> None:
        super().__init__()
        self._test = test

    def exchange(self, permit: Any, head: bytes, body: Any, *, method: str, receiver: Any) -> Any:
        handle = super().exchange(permit, head, body, method=method, receiver=receiver)
        sent = b"".join(body)
        request, modified = self._check(permit)
        lines = head.split(b"\r\n")
        assert lines[0].startswith(method.encode() + b" ")
        target = lines[0].split(b" ")[1]
        assert request["method"] == method
        assert request["path_sha256"] == hashlib.sha256(target).hexdigest()
        host = f"{request['host']}:{request['port']}".removesuffix(":80")
        assert lines[1] == f"Host: {host}".encode()
        assert (b"Content-Length: %d" % len(sent) in lines) == (method not in ("GET", "HEAD") or bool(sent))
        digest = hashlib.sha256(sent).hexdigest()
        if modified:
            assert (modified[0]["after_sha256"], sent) == (digest, b"new")
        else:
            assert sent == self._test.said[target.decode()]
            assert request["body_sha256"] == (digest if sent else None)
            assert request["body_bytes"] == len(sent)
        websocket = b"Upgrade: websocket" in lines
        self._test.receivers.append((receiver, handle, ResponseReader(method, websocket=websocket)))
        return handle

    def tunnel(self, permit: Any, heard: Any) -> Deferred[Any]:
        permit.ticket.take()
        request, _ = self._check(permit)
        assert (request["method"], request["port"], request["path_sha256"]) == ("CONNECT", 443, None)
        return self._test.tunnels.add(permit)

    def _check(self, permit: Any) -> tuple[dict[str, Any], Any]:
        test, name = self._test, permit.certificate_id
        certificate = test.durable.get(name)
        assert certificate is not None, "dialled before its certificate was durable (law 2)"
        assert certificate["verdict"] == "allow"
        assert name in test.granted, "dialled without an allow in time (laws 1 and 4)"
        test.dialled[name] = test.dialled.get(name, 0) + 1
        assert test.dialled[name] == 1, "one certificate, two exchanges"
        request = certificate["request"]
        assert (request["host"], request["port"]) == (permit.authority.host, permit.authority.port)
        assert [str(address) for address in permit.addresses] == ["93.184.216.34"]
        record = certificate["record"]
        return request, None if record is None else record["modified"]


TestConversations = Conversations.TestCase
TestConversations.settings = settings(stateful_step_count=60, deadline=None)
TestConversations.__doc__ = (
    "Nothing leaves without its record, no request gets two answers, and nothing is left behind."
)
