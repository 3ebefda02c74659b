"""A network that answers from a table, and a proxy behind it that seals real certificates. Nothing is sent."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable
from typing import Any

from eve_proxy.doctor.instruments import Instruments
from eve_proxy.doctor.network import Heard, How
from eve_proxy.doctor.plan import METADATA, Plan, read_authority, read_direct, read_target
from eve_proxy.doctor.proxy import Proxy
from eve_proxy.model.certificate import GENESIS, LogLink, RequestDigest
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.public_key import Ed25519Public
from eve_proxy.signing.seal import header_value, seal, timestamp
from eve_proxy.signing.verification import trusted_keys
from tests.fakes.journal import draft
from tests.fakes.ports import SECRET

WALL = 1_776_348_143.847
DATE = "Thu, 16 Apr 2026 14:02:23 GMT"
PROXY = ("127.0.0.1", 3128)
OUTSIDE4, OUTSIDE6 = "192.0.2.1", "2001:db8::1"
REFUSED, SILENT = Heard(how=How.REFUSED), Heard(how=How.SILENT)
Answers = Callable[[bytes], Heard]


def said(status: int, body: bytes = b"", **fields: str) -> Heard:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status} Said", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return Heard(how=How.ANSWERED, data="\r\n".join([*lines, "", ""]).encode("latin-1") + body)


class FakeNetwork:
    """Refuses whatever is not in its tables.

    :ivar sent: everything, in order: where to and what.
    """

    def __init__(self) -> None:
        self.streams: dict[tuple[str, int], Heard | Answers] = {}
        self.datagrams: dict[tuple[str, int], Heard] = {}
        self.names: dict[str, tuple[str, ...]] = {}
        self.sent: list[tuple[str, int, bytes]] = []

    def stream(self, host: str, port: int, data: bytes, enough: Callable[[bytes], bool]) -> Heard:
        self.sent.append((host, port, data))
        answer = self.streams.get((host, port), REFUSED)
        return answer(data) if callable(answer) else answer

    def datagram(self, address: str, port: int, data: bytes) -> Heard:
        self.sent.append((address, port, data))
        return self.datagrams.get((address, port), REFUSED)

    def lookup(self, name: str) -> tuple[str, ...]:
        return self.names.get(name, ())


class FakeDaemon:
    """The proxy: explicit clients at ``PROXY``, redirected ones through ``redirected``.

    :ivar verdicts: target (``GET http://…/``, ``CONNECT host:port``, a host) to what is answered: status, rule.
    :ivar pages: answers of its own pages that are other than usual.
    :ivar stamped: what changes a certificate on its way out.
    """

    def __init__(self, signer: Any = None) -> None:
        self.signer = signer or HmacSigner(SECRET)
        self.lines: list[bytes] = []
        self.verdicts: dict[str, tuple[int, str | None]] = {}
        self.pages: dict[str, Heard] = {}
        self.warning: str | None = None
        self.wall = WALL
        self.reports: list[bytes] = []
        self.stamped: Callable[[str], str] = lambda header: header
        self.unrecorded = False
        self._alone = threading.Lock()  # checks ask at once

    def explicit(self, data: bytes) -> Heard:
        """A client of the proxy."""
        head, _, body = data.partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        if target in self.pages:
            return self.pages[target]
        if target == "/posture":
            self.reports.append(body)
            results = json.loads(body)["results"]
            line = self.record(
                kind="posture", verdict=None, request=None, record={"results": results, "reported_by": "x"}
            )
            return said(201, line.line)
        if target.startswith("/"):
            return self._page(target)
        authority = read_authority(target if method == "CONNECT" else target.split("/")[2], 80)
        return self._decide(method, f"{method} {target}", authority.host, authority.port, _request_id(head))

    def redirected(self, host: str, port: int) -> Answers:
        """A connection that rules led here."""

        def answer(data: bytes) -> Heard:
            if data[:1] == b"\x16":
                name = re.search(rb"eve-doctor-[0-9a-f]{16}\.invalid|web\.example", data)
                self.certified("CONNECT", name[0].decode() if name else host, port, None, 200)
                return Heard(how=How.CONNECTED)
            return self._decide("GET", host, host, port, _request_id(data))

        return answer

    def _decide(self, method: str, key: str, host: str, port: int, request_id: str) -> Heard:
        status, rule = self.verdicts.get(key, (200, None))
        if status == 403:
            return said(403)
        header = self.certified(method, host, port, request_id, status, rule)
        return said(status, X_EVE_Decision_Cert=self.stamped(header), Date=DATE)

    def certified(
        self, method: str, host: str, port: int, request_id: str | None, status: int, rule: str | None = None
    ) -> str:
        """Decide and record; the header."""
        verdict = {451: "block", 503: "fail_closed"}.get(status, "allow")
        request = RequestDigest(method=method, scheme="http", host=host, port=port, request_id=request_id)
        return header_value(self.record(verdict=verdict, matched_vector=rule, request=request)).decode()

    def record(self, **changes: Any) -> Any:
        with self._alone:
            return self._sealed(changes)

    def _sealed(self, changes: dict[str, Any]) -> Any:
        place = LogLink(id="log_0123456789abcdef", seq=len(self.lines), prev=GENESIS)
        changes = {"certificate_id": f"cert_{len(self.lines):016x}", "timestamp": timestamp(self.wall)} | changes
        certificate = seal(draft(**changes), None if self.unrecorded else place, self.signer)
        self.lines.append(certificate.line)
        return certificate

    def _page(self, target: str) -> Heard:
        warning = {} if self.warning is None else {"X_EVE_Warning": self.warning}
        if target in ("/healthz", "/readyz"):
            return said(200, b"ok", **warning)
        if target == "/.well-known/jwks.json":
            return said(200, jwks([self.signer] if isinstance(self.signer, Ed25519Public) else []))
        if target.startswith("/certificates?last="):
            return said(200, b"".join(line + b"\n" for line in self.lines[-int(target.rpartition("=")[2]) :]))
        found = [line for line in self.lines if json.loads(line)["certificate_id"] == target.rpartition("/")[2]]
        return said(200, found[0]) if found else said(404)


class Bench:
    """Instruments on a fake network with a proxy in it."""

    def __init__(self, *, signer: Any = None, key: bytes | None = None, rules: bool = False, **changes: Any) -> None:
        self.network = FakeNetwork()
        self.daemon = FakeDaemon(signer)
        self.network.streams[PROXY] = self.daemon.explicit
        self._tokens = itertools.count(1)
        direct = tuple(read_direct(f"{host}:{port}") for host in (OUTSIDE4, f"[{OUTSIDE6}]") for port in (80, 443, 853))
        self.plan = Plan(
            **{
                "proxy": read_authority("127.0.0.1:3128", None),
                "targets": (read_target("http://web.example/"), read_target("https://web.example/")),
                "direct": direct,
                "metadata": METADATA,
                "resolver": OUTSIDE4,
                **changes,
            }
        )
        # What a well configured daemon refuses.
        self.daemon.verdicts |= {
            "CONNECT web.example:25": (451, "connect_port"),
            "CONNECT 127.0.0.1:443": (451, "destination"),
            "CONNECT 169.254.169.254:443": (451, "destination"),
            "GET http://169.254.169.254/": (451, "destination"),
            "169.254.169.254": (451, "destination"),
        }
        if rules:
            for host in (OUTSIDE4, OUTSIDE6, "web.example"):
                for port in (80, 443):
                    self.network.streams[host, port] = self.daemon.redirected(host, port)
            self.network.streams["169.254.169.254", 80] = self.daemon.redirected("169.254.169.254", 80)
        keys = () if key is None else trusted_keys(key)
        self.proxy = Proxy(self.network, self.plan.proxy, keys, self.token)
        self.tools = Instruments(
            plan=self.plan, network=self.network, proxy=self.proxy, token=self.token, wall=lambda: WALL
        )

    def token(self) -> str:
        return f"{next(self._tokens):016x}"

    def open(self, host: str, port: int) -> None:
        """Somebody out there answers."""
        self.network.streams[host, port] = said(200, b"hello")


def _request_id(head: bytes) -> str:
    found = re.search(rb"X-Request-Id: ([^\r]+)", head)
    assert found is not None
    return found[1].decode()
