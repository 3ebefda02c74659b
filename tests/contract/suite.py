"""Recorded exchanges, asked of any decision service that speaks docs/governance-api.md. Standard library only.

    python3 tests/contract/suite.py URL [--token-file FILE] [--reference] ...

One line per exchange, and what it is about under those that fail; ends with 0 when all passed, 1 when one failed, 2
when the suite could not begin: an argument is wrong, or nobody listens at URL. Each file of ``exchanges/`` is one
exchange:

- ``about``: a sentence. ``question``: the JSON to send, or ``document``: the text to send as it is.
- ``expect``: ``decision`` (status 200 and a well-formed answer with any verdict: which one is the service's to say), or
  ``4xx``.
- ``answer``: what the reference decision point said. ``reference``: the verdict that ``--reference`` demands.
- ``only``: ``reference`` when only ``--reference`` asks it. ``beyond``: why eve_proxy would not send this question.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
EVALUATE = "/v1/decisions/evaluate"
STATUSES = ("ALLOWED", "BLOCKED", "MODIFIED")
MAX_ANSWER = 1024 * 1024
DEEPEST = 32


class Refused(Exception):
    """The answer permits nothing. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One file of ``exchanges/``."""

    name: str
    about: str
    document: bytes
    expect: str
    request_id: str | None
    reference: dict[str, Any] | None
    only_reference: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one exchange went: ``failure`` is None when the service kept the contract."""

    name: str
    about: str
    said: str
    failure: str | None = None


def exchanges(policy_set: str | None = None) -> list[Exchange]:
    """All of them, in the order of their names.

    :param policy_set: asked for instead of the recorded one; not where the recorded one is the point.
    """
    return [_exchange(path, policy_set) for path in sorted((HERE / "exchanges").glob("*.json"))]


def _exchange(path: Path, policy_set: str | None) -> Exchange:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    question = recorded.get("question")
    only_reference = recorded.get("only") == "reference"
    if policy_set is not None and not only_reference and isinstance(question, dict) and "policy_set" in question:
        question["policy_set"] = policy_set
    document = recorded["document"] if question is None else json.dumps(question, ensure_ascii=False)
    return Exchange(
        name=path.stem,
        about=recorded["about"],
        document=document.encode(),
        expect=recorded["expect"],
        request_id=question.get("request_id") if isinstance(question, dict) else None,
        reference=recorded.get("reference"),
        only_reference=only_reference,
    )


# What an answer says: the contract once more, in code that shares nothing with eve_proxy.


def read_answer(status: int, body: bytes, request_id: str | None) -> dict[str, Any]:
    """The answer's ``decision``.

    :raises Refused: eve_proxy would not take it for an answer to ``request_id``.
    """
    if status != 200:
        raise Refused(f"status {status}")
    if len(body) > MAX_ANSWER:
        raise Refused("the answer is larger than 1 MiB")
    try:
        answer = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"not strict JSON: {error}") from None
    if _depth(answer) > DEEPEST:
        raise Refused("nested too deeply")
    _is(answer, dict, "the answer")
    if "request_id" in answer and answer["request_id"] != request_id:
        raise Refused("the answer names another request_id")
    decision = answer.get("decision")
    _is(decision, dict, "decision")
    if not isinstance(decision.get("status"), str) or decision["status"] not in STATUSES:
        raise Refused(f"decision.status must be one of {', '.join(STATUSES)}")
    _texts(decision, "decision", "reason", "matched_pillar", "matched_vector")
    _texts(_member(answer, "audit", dict), "audit", "audit_id")
    lists = {
        "policy_violations": ("policy_id", "description"),
        "modifications": ("field", "modified_value", "reason"),
    }
    for name, members in lists.items():
        for item in _member(answer, name, list):
            _is(item, dict, f"an item of {name}")
            _texts(item, name, *members)
    if decision["status"] == "ALLOWED" and answer.get("modifications"):
        raise Refused("ALLOWED with modifications")
    return decision


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        deepest += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return deepest


def _is(value: Any, kind: type, what: str) -> None:
    if not isinstance(value, kind):
        raise Refused(f"{what} must be a JSON {'object' if kind is dict else 'array'}")


def _member(members: dict[str, Any], name: str, kind: type) -> Any:
    value = members.get(name)
    if value is None:
        return kind()
    _is(value, kind, name)
    return value


def _texts(members: dict[str, Any], where: str, *names: str) -> None:
    for name in names:
        if not isinstance(members.get(name), str | None):
            raise Refused(f"{where}.{name} must be text")


# Asking.


class Service:
    """The service at ``url``: one kept-alive connection, renewed when it is gone.

    :param url: ``http://``, ``https://`` (both with an optional base path) or ``unix:/path``.
    :param credential: the header to send and its value, or None.
    :param timeout: seconds for one whole answer; a service that drips gets no more.
    """

    def __init__(
        self, url: str, *, credential: tuple[str, str] | None = None, ca: str | None = None, timeout: float = 5.0
    ) -> None:
        self._timeout = timeout
        self._credential = credential
        self._new = self._connections(url, ca)
        self._path = ("" if url.startswith("unix:") else urlsplit(url).path.rstrip("/")) + EVALUATE
        self._connection: http.client.HTTPConnection | None = None

    def reach(self) -> None:
        """Connect, so that an absent service is told from one that fails.

        :raises OSError: nobody listens there, or not with the TLS that was asked for.
        """
        connection = self._new()
        connection.connect()
        connection.close()

    def ask(self, document: bytes, *, anonymous: bool = False) -> tuple[int, bytes]:
        """Status and body of the answer.

        :raises Refused: no whole answer in time.
        """
        used, connection = self._connection is not None, self._connection or self._new()
        self._connection = None
        try:
            answer, keep = self._once(connection, document, anonymous)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            connection.close()
            if not used:
                raise Refused(f"no answer: {type(error).__name__}") from None
            # A kept connection that the service closed in the meantime is no fault of the service.
            return self.ask(document, anonymous=anonymous)
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise Refused(f"no answer: {type(error).__name__}") from None
        if keep:
            self._connection = connection
        else:
            connection.close()
        return answer

    def _once(
        self, connection: http.client.HTTPConnection, document: bytes, anonymous: bool
    ) -> tuple[tuple[int, bytes], bool]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._credential is not None and not anonymous:
            headers[self._credential[0]] = self._credential[1]
        if connection.sock is None:
            connection.connect()
        sock = connection.sock
        late = threading.Event()

        def end() -> None:
            late.set()
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self._timeout, end)
        timer.daemon = True
        timer.start()
        try:
            connection.request("POST", self._path, document, headers)
            response = connection.getresponse()
            answer = response.status, response.read(MAX_ANSWER + 1)
            whole = response.isclosed()
        except (OSError, http.client.HTTPException) as error:
            if late.is_set():
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
        if late.is_set():
            raise TimeoutError
        if response.length:
            raise http.client.IncompleteRead(b"")
        return answer, whole

    def _connections(self, url: str, ca: str | None) -> Callable[[], http.client.HTTPConnection]:
        timeout = self._timeout
        if url.startswith("unix:"):
            return lambda: _UnixConnection(url.removeprefix("unix:"), timeout)
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        plain = url == f"{parts.scheme}://{parts.netloc}{parts.path}" and "@" not in parts.netloc
        if host is None or not plain or parts.scheme not in ("http", "https"):
            raise ValueError("the URL must be http://host[:port][/base], https://... or unix:/path")
        if parts.scheme == "http":
            return lambda: http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            context = ssl.create_default_context(cafile=ca)
        except OSError:  # ssl.SSLError is one
            raise ValueError(f"--ca {ca} holds no usable PEM certificate") from None
        return lambda: http.client.HTTPSConnection(host, port, timeout=timeout, context=context)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def run(service: Service, asked: Iterable[Exchange], *, reference: bool = False) -> Iterator[Result]:
    """Ask each exchange of ``service``."""
    for exchange in asked:
        if exchange.only_reference and not reference:
            continue
        try:
            status, body = service.ask(exchange.document)
            yield judge(exchange, status, body, reference=reference)
        except Refused as refused:
            yield Result(name=exchange.name, about=exchange.about, said="", failure=str(refused))


def judge(exchange: Exchange, status: int, body: bytes, *, reference: bool = False) -> Result:
    """Whether an answer keeps the contract."""
    if exchange.expect == "4xx":
        failure = None if 400 <= status < 500 else "a question that breaks the contract must be answered 4xx"
        if status in (401, 402, 403, 429):
            failure = "refused unread: is a credential missing?"
        return Result(name=exchange.name, about=exchange.about, said=f"status {status}", failure=failure)
    try:
        decision = read_answer(status, body, exchange.request_id)
    except Refused as refused:
        failure = f"eve_proxy refuses this: {refused}"
        return Result(name=exchange.name, about=exchange.about, said=f"status {status}", failure=failure)
    wanted = exchange.reference if reference and exchange.reference else {}
    failures = [
        f"the reference says {name} {value}, not {decision.get(name)}"
        for name, value in wanted.items()
        if decision.get(name) != value
    ]
    failure = "; ".join(failures) or None
    return Result(name=exchange.name, about=exchange.about, said=decision["status"], failure=failure)


def without_credential(service: Service, exchange: Exchange) -> Result:
    """A service that wants a credential must not decide without one."""
    name, about = "no-credential", f"The question of {exchange.name}, without the credential."
    try:
        status, _ = service.ask(exchange.document, anonymous=True)
    except Refused as refused:
        return Result(name=name, about=about, said="", failure=str(refused))
    failure = None if status in (401, 402, 403) else "a question without credential must be answered 401, 402 or 403"
    return Result(name=name, about=about, said=f"status {status}", failure=failure)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) <= 3600:
            return seconds
    raise argparse.ArgumentTypeError("must be more than 0 and at most 3600 seconds")


def main(arguments: list[str]) -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="contract", description="Ask recorded exchanges of a decision service")
    parser.add_argument("url", help="http://host[:port][/base], https://... or unix:/path")
    parser.add_argument("--token-file", metavar="FILE", help="the credential; then a question without it is tried too")
    parser.add_argument("--auth", default="bearer", choices=("bearer", "x-api-key", "x-eve-api-key"))
    parser.add_argument("--ca", metavar="FILE", help="PEM roots for https instead of the system's")
    parser.add_argument("--policy-set", metavar="NAME", help="ask for this one instead of egress_v1")
    parser.add_argument("--reference", action="store_true", help="demand the verdicts of the shipped policy as well")
    parser.add_argument(
        "--timeout", type=_seconds, default=2.0, metavar="SECONDS",
        help="for one whole answer (default 2, as EVE_PROXY_ENFORCE_TIMEOUT)",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    credential = None
    try:
        if given.token_file is not None:
            token = Path(given.token_file).read_text(encoding="ascii").strip()
            credential = ("Authorization", f"Bearer {token}") if given.auth == "bearer" else (given.auth, token)
        service = Service(given.url, credential=credential, ca=given.ca, timeout=given.timeout)
    except (OSError, ValueError) as error:
        print(f"contract: {error}", file=sys.stderr)
        return 2
    try:
        service.reach()
    except OSError as error:
        print(f"contract: {given.url}: {error.strerror or error}", file=sys.stderr)
        return 2
    asked = exchanges(given.policy_set)
    passed = failed = 0
    extra = [without_credential(service, asked[0])] if credential else []
    for results in (extra, run(service, asked, reference=given.reference)):
        for result in results:
            if result.failure is None:
                passed += 1
                print(f"ok    {result.name}: {result.said}", flush=True)
            else:
                failed += 1
                said = f" ({result.said})" if result.said else ""
                print(f"FAIL  {result.name}: {result.failure}{said}\n      {result.about}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
