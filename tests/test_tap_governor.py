"""The command line of ``twistd eve-governor``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.python import usage

from eve_proxy.governor_site import GovernorSite
from eve_proxy.tap_governor import TOKEN_VARIABLE, GovernorService, Options, make_service
from tests.fakes.keys import ed25519, private_pem


def options(*arguments: str, **environ: str) -> Options:
    made = Options(environ)
    made.parseOptions(list(arguments))
    return made


def test_the_defaults_work() -> None:
    """Without options it serves the shipped policy to this machine only."""
    made = options()
    assert made["listen"] == "tcp:8128:interface=127.0.0.1"
    assert made.policy.name == "egress_v1"
    assert made.token is None


def test_it_listens_says_where_and_stops() -> None:
    """A script can read the address from the log."""
    reactor: Any = MemoryReactorClock()
    service = make_service(options("--listen", "tcp:0:interface=127.0.0.1"), reactor)
    events: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(events.append)
    try:
        service.privilegedStartService()
        service.startService()
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert [(port, interface) for port, _, _, interface in reactor.tcpServers] == [(0, "127.0.0.1")]
    assert isinstance(reactor.tcpServers[0][1], GovernorSite)
    said = [event["log_format"].format(**event) for event in events if "listens" in (event.get("log_format") or "")]
    assert len(said) == 1
    assert said[0].startswith("eve-governor listens on ")


def test_stopping_frees_the_port_once() -> None:
    """The process ends only when the port is free."""
    stops: list[str] = []

    class Port:
        def getHost(self) -> IPv4Address:
            return IPv4Address("TCP", "127.0.0.1", 8128)

        def stopListening(self) -> Deferred[None]:
            stops.append("stopped")
            return Deferred()

    class Endpoint:
        def listen(self, factory: object) -> Deferred[Port]:
            return succeed(Port())

    service = GovernorService(Endpoint(), lambda witness: object(), options().policy)
    service.startService()
    assert not service.stopService().called
    assert service.stopService().called
    assert stops == ["stopped"]


def test_a_unix_socket_works_too(tmp_path: Path) -> None:
    """The decision point can be reached without a port."""
    reactor: Any = MemoryReactorClock()
    make_service(options("--listen", f"unix:{tmp_path}/gov.sock"), reactor).startService()
    assert reactor.unixServers[0][0] == f"{tmp_path}/gov.sock"


def test_a_port_in_use_stops_the_start() -> None:
    """A service that listens nowhere must not look alive."""

    class Taken(MemoryReactorClock):
        def listenTCP(self, port: int, *arguments: object, **named: object) -> Any:
            raise CannotListenError("127.0.0.1", port, OSError(98, "in use"))

    with pytest.raises(CannotListenError):
        make_service(options(), Taken()).privilegedStartService()


def test_tokens_come_from_a_file_or_the_environment(tmp_path: Path) -> None:
    """The file wins; the newline that an editor adds is not part of the token."""
    file = tmp_path / "token"
    file.write_text("from-file\n", encoding="ascii")
    assert options("--token-file", str(file), **{TOKEN_VARIABLE: "from-env"}).token == b"from-file"
    assert options(**{TOKEN_VARIABLE: "from-env"}).token == b"from-env"


@pytest.mark.parametrize("text", [b"", b" \n", b"a\x01b", b"\xff", b"x" * 5000])
def test_an_unusable_token_is_a_fault(text: bytes, tmp_path: Path) -> None:
    """An empty token file does not switch the check off."""
    file = tmp_path / "token"
    file.write_bytes(text)
    with pytest.raises(usage.UsageError, match="--token-file") as caught:
        options("--token-file", str(file))
    assert "a\x01b" not in str(caught.value)


def test_an_empty_token_in_the_environment_is_a_fault() -> None:
    """Set but empty is a mistake, not an opt-out."""
    with pytest.raises(usage.UsageError, match=TOKEN_VARIABLE):
        options(**{TOKEN_VARIABLE: ""})


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Nobody has to mend a command line one start at a time."""
    policy = tmp_path / "p.yaml"
    policy.write_text("name: x\n", encoding="utf-8")
    with pytest.raises(usage.UsageError) as caught:
        options("--listen", "carrier-pigeon:1", "--policy", str(policy), "--token-file", str(tmp_path / "absent"))
    lines = str(caught.value).splitlines()
    assert lines[0] == "nothing was started:"
    assert [line.split(" ")[2] for line in lines[1:]] == ["--policy:", "--token-file", "--listen"]


@pytest.mark.parametrize("where", ["tcp:", "tcp:x", "ssl:443:privateKey=/nowhere", "unix"])
def test_an_impossible_endpoint_is_a_fault(where: str) -> None:
    """A mistake in the endpoint is told before anything starts."""
    with pytest.raises(usage.UsageError, match="--listen"):
        options("--listen", where)


def test_signing_needs_a_key_and_a_journal(tmp_path: Path) -> None:
    """One without the other is refused, and so is a key that cannot sign; what was wrong is said."""
    key = tmp_path / "key.pem"
    key.write_bytes(private_pem(ed25519()))
    assert options("--signing-key", str(key), "--journal", str(tmp_path / "g.jsonl")).signer is not None
    assert options().signer is None
    for arguments, expected in (
        (("--journal", "g.jsonl"), "go together"),
        (("--signing-key", str(key)), "go together"),
        (("--signing-key", str(tmp_path / "none"), "--journal", "g"), "No such file"),
        (("--signing-key", __file__, "--journal", "g"), "no private key in PEM"),
    ):
        with pytest.raises(usage.UsageError, match=expected):
            options(*arguments)


def test_its_journal_is_opened_before_it_listens(tmp_path: Path) -> None:
    """A decision point that cannot write must not look alive."""
    key = tmp_path / "key.pem"
    key.write_bytes(private_pem(ed25519()))
    journal = tmp_path / "g.jsonl"
    reactor: Any = MemoryReactorClock()
    reactor.callFromThread = lambda function, *arguments: function(*arguments)
    made = options("--signing-key", str(key), "--journal", str(journal), "--listen", "tcp:0:interface=127.0.0.1")
    make_service(made, reactor).startService()
    assert journal.exists()
    assert len(reactor.tcpServers) == 1
    with pytest.raises(SystemExit, match="is being written"):
        make_service(made, reactor).startService()
    assert len(reactor.tcpServers) == 1
