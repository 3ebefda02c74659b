"""The daemon's life on fakes: what is started and stopped in which order, and what is said when it cannot be.

Real sockets and signals: tests/integration/.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.testing import MemoryReactorClock

from eve_proxy import service as module
from eve_proxy.audit.lock import JournalLocked
from eve_proxy.config import Config, parse
from eve_proxy.counting import SETTLE_SECONDS
from eve_proxy.metrics.port import MetricsPort
from eve_proxy.model.errors import JournalUnavailable
from eve_proxy.service import GRACE, RESET_WITHIN, SidecarService
from eve_proxy.systemd.sockets import Adopted

SECRET = "a secret of the service's tests, long enough"
# What was counted and not yet said stands before the session's end.
LAST = ["session ended", "journal closed"]


class Reactor(MemoryReactorClock):
    """Serves the sockets that it is given, and counts how often it is stopped."""

    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self.events = events
        self.stops = 0
        self.adopted: list[Any] = []
        self.port = mock.Mock()
        self.port.stopListening.side_effect = lambda: self.done("port closed")

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> Any:
        self.events.append(f"listening on descriptor {descriptor}")
        self.adopted.append(factory)
        return self.port

    def done(self, what: str) -> Deferred[None]:
        self.events.append(what)
        return succeed(None)

    def callFromThread(self, function: Any, *arguments: Any) -> None:
        function(*arguments)

    def stop(self) -> None:
        self.stops += 1


class Daemon:
    """A service whose journal, socket and parts are scripted; every step is an event."""

    def __init__(
        self, tmp_path: Path, transparent_port: str = "0", adopted: Adopted | None = None, **environ: str
    ) -> None:
        self.events: list[str] = []
        self.reactor = Reactor(self.events)
        self.draining: Deferred[None] = succeed(None)
        self.journal = mock.Mock()
        self.journal.close.side_effect = lambda: self.reactor.done("journal closed")
        self.parts = mock.Mock(governance=mock.Mock())
        self.parts.factory.drain.side_effect = self._drain
        self.parts.factory.dismiss.side_effect = lambda: self.reactor.done("late connections dismissed")
        self.parts.factory.abort_all.side_effect = self._reset
        self.parts.dialler.close.side_effect = lambda: self.events.append("dialler closed")
        self.parts.governance.close.side_effect = lambda: self.events.append("governance closed")
        self.session = mock.Mock()
        self.session.begin.side_effect = lambda: self.reactor.done("session begun")
        self.session.hangup.side_effect = lambda: self.reactor.done("hung up")
        self.session.end.side_effect = lambda: self.events.append("session ended")
        self.listener = mock.MagicMock()
        self.listener.__enter__.return_value = self.listener
        self.listener.getsockname.return_value = ("127.0.0.1", 4242)
        self.listener.fileno.return_value = 77
        self.listener.getsockopt.return_value = 0
        self.adopted = adopted or Adopted()
        self.log = tmp_path / "decisions.log"
        config = parse(
            {
                "JWT_SECRET_KEY": SECRET,
                "EVE_PROXY_PORT": "0",
                "EVE_PROXY_HOST": "127.0.0.1",
                "EVE_PROXY_AUDIT_LOG": str(tmp_path / "journal.jsonl"),
                "EVE_PROXY_TRANSPARENT_PORT": transparent_port,
                **environ,
            }
        )
        self.service = self.made(config)
        self.open_journal = mock.Mock(side_effect=self._event("journal opened", self.journal))
        self.bind = mock.Mock(side_effect=self._event("bound", self.listener))
        self.bind_redirected = mock.Mock(side_effect=self._event("bound for what is redirected", [self.listener]))
        self.compose = mock.Mock(side_effect=self._event("composed", self.parts))

    def made(self, config: Config) -> SidecarService:
        self.reports = mock.Mock()
        return SidecarService(
            config,
            (),
            reactor=self.reactor,
            decision_log=str(self.log),
            adopted=self.adopted,
            reports=self.reports,
        )

    def start(self) -> None:
        made_session = mock.Mock(return_value=self.session)
        replaced = {
            "open_journal": self.open_journal,
            "bind": self.bind,
            "bind_redirected": self.bind_redirected,
            "compose": self.compose,
            "Session": made_session,
        }
        self.raise_file_limit = mock.Mock()
        with mock.patch.multiple(module, raise_file_limit=self.raise_file_limit, **replaced):
            self.service.startService()

    def stop(self) -> list[Any]:
        """What the stop has answered; empty while it goes on."""
        answers: list[Any] = []
        self.events.clear()
        self.service.stopService().addBoth(answers.append)
        return answers

    def _event(self, name: str, result: Any) -> Any:
        def happen(*_: Any, **__: Any) -> Any:
            self.events.append(name)
            return result

        return happen

    def _reset(self) -> None:
        self.events.append("reset")
        self.draining = Deferred()

    def _drain(self) -> Deferred[None]:
        self.events.append("draining")
        return self.draining


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    if made.service._lines is not None:
        made.service._lines.close()


# -- start -------------------------------------------------------------------------------------------------------------


def test_the_journal_is_open_before_anything_listens(daemon: Daemon) -> None:
    """Nobody can connect while it is not sure that decisions can be recorded; the socket is served last."""
    daemon.listener.listen.side_effect = lambda _: daemon.events.append("listens")
    daemon.start()
    assert daemon.events == [
        "bound",
        "journal opened",
        "composed",
        "listens",
        "listening on descriptor 77",
        "session begun",
    ]
    assert daemon.raise_file_limit.call_args.args[0] == 10_000, "as many descriptors as EVE_PROXY_MAX_CONNECTIONS needs"
    assert daemon.compose.call_args.kwargs["own_ports"] == {4242}
    assert daemon.compose.call_args.kwargs["listeners"] == [("127.0.0.1", 4242)]
    assert daemon.compose.call_args.kwargs["journal"] is daemon.journal


def test_redirected_connections_have_sockets_of_their_own(tmp_path: Path) -> None:
    """They are bound before the journal is opened too, and closed with the others."""
    daemon = Daemon(tmp_path, transparent_port="15001")
    daemon.start()
    assert daemon.events[:3] == ["bound", "bound for what is redirected", "journal opened"]
    daemon.bind_redirected.assert_called_once_with("127.0.0.1", 15001)
    assert daemon.events.count("listening on descriptor 77") == 2
    daemon.stop()
    assert daemon.events.count("port closed") == 2


def test_metrics_have_a_socket_of_their_own(tmp_path: Path) -> None:
    """It is bound with the others, served last, and no port that the proxy serves; it goes when all else is over."""
    daemon = Daemon(tmp_path, EVE_PROXY_METRICS_PORT="9464", EVE_PROXY_METRICS_HOST="10.0.0.5")
    daemon.start()
    assert daemon.bind.call_args_list[1].args == ("10.0.0.5", 9464)
    assert "EVE_PROXY_METRICS_PORT" in daemon.bind.call_args_list[1].kwargs["variable"]
    assert daemon.events[:4] == ["bound", "bound", "journal opened", "composed"]
    assert daemon.events[-3:] == ["listening on descriptor 77", "listening on descriptor 77", "session begun"]
    assert isinstance(daemon.reactor.adopted[0], mock.Mock)
    assert isinstance(daemon.reactor.adopted[1], MetricsPort)
    daemon.stop()
    assert daemon.events[-3:] == [*LAST, "port closed"]


def test_metrics_listen_where_the_proxy_does(tmp_path: Path) -> None:
    """Without an address of their own."""
    daemon = Daemon(tmp_path, EVE_PROXY_METRICS_PORT="9464")
    daemon.start()
    assert daemon.bind.call_args_list[1].args == ("127.0.0.1", 9464)
    daemon.stop()


def test_observations_are_settled_while_it_runs(daemon: Daemon) -> None:
    """Once a second, also when nobody scrapes, and not after the end."""
    daemon.start()
    settle = daemon.parts.watched.counts.enforcement.settle
    daemon.reactor.advance(SETTLE_SECONDS)
    daemon.reactor.advance(SETTLE_SECONDS)
    assert settle.call_count == 2
    daemon.stop()
    daemon.reactor.advance(SETTLE_SECONDS)
    assert settle.call_count == 2


def passed_socket(port: int) -> Any:
    made = mock.MagicMock()
    made.__enter__.return_value = made
    made.getsockname.return_value = ("127.0.0.1", port)
    made.fileno.return_value = port
    made.getsockopt.return_value = 1
    return made


def test_sockets_that_were_opened_for_us(tmp_path: Path) -> None:
    """They are served as they are, nothing is bound, and their queues keep the length that the unit gave them."""
    proxy, redirected = passed_socket(3128), (passed_socket(15001), passed_socket(15001))
    daemon = Daemon(tmp_path, "15001", Adopted(proxy=proxy, transparent=redirected))
    daemon.start()
    assert [event for event in daemon.events if "bound" in event] == []
    assert daemon.events.count("listening on descriptor 15001") == 2
    assert "listening on descriptor 3128" in daemon.events
    for each in (proxy, *redirected):
        each.listen.assert_not_called()
        each.__exit__.assert_called_once()
    assert daemon.compose.call_args.kwargs["own_ports"] == {3128, 15001}
    daemon.stop()
    assert daemon.events.count("port closed") == 3


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (JournalLocked("events.jsonl is written by process 4711: stop it"), "process 4711: stop it"),
        (JournalUnavailable("the journal /x cannot be opened: Permission denied"), "Permission denied"),
    ],
)
def test_a_journal_that_cannot_be_had(daemon: Daemon, error: Exception, said: str) -> None:
    """The daemon ends, says why, and has listened to nobody."""
    daemon.open_journal.side_effect = error
    with pytest.raises(SystemExit, match=said) as caught:
        daemon.start()
    assert said.partition(":")[0] in daemon.reports.opening.call_args.args[0], "`systemctl status` shows it"
    assert str(caught.value).startswith("eve-sidecar cannot start: ")
    assert daemon.events == ["bound"]
    daemon.listener.listen.assert_not_called()


def test_a_port_that_is_taken(daemon: Daemon) -> None:
    """The daemon ends with the message of ``bind``, and the journal has no session that served nobody."""
    daemon.bind.side_effect = OSError("127.0.0.1:3128 cannot be listened on (in use); stop what listens there")
    with pytest.raises(SystemExit, match="stop what listens there"):
        daemon.start()
    assert daemon.events == []


def test_parts_that_do_not_fit(daemon: Daemon) -> None:
    """A value that only composing can refuse ends the start as well."""
    daemon.compose.side_effect = ValueError("EVE_PROXY_X is wrong")
    with pytest.raises(SystemExit, match="EVE_PROXY_X is wrong"):
        daemon.start()
    assert daemon.events == ["bound", "journal opened"]
    daemon.listener.listen.assert_not_called()


def test_a_decision_log_that_cannot_be_written(daemon: Daemon, tmp_path: Path) -> None:
    """A path without a folder ends the start; the option is named, and the journal has no session."""
    daemon.service._decision_log = str(tmp_path / "nowhere" / "log")
    with pytest.raises(SystemExit, match=r"--decision-log .*nowhere/log cannot be opened: No such file"):
        daemon.start()
    assert daemon.events == ["bound"]


def test_a_defect_is_not_taken_for_the_operators_fault(daemon: Daemon) -> None:
    """An exception of our own keeps its traceback."""
    daemon.compose.side_effect = ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        daemon.start()


def test_lines_go_to_the_file(daemon: Daemon) -> None:
    """--decision-log FILE is appended to, readable for its owner and group only."""
    daemon.log.write_bytes(b"before\n")
    daemon.log.unlink()
    daemon.start()
    write = daemon.compose.call_args.kwargs["write_line"]
    write(b"a line\n")
    daemon.stop()
    assert daemon.log.read_bytes() == b"a line\n"
    assert daemon.log.stat().st_mode & 0o007 == 0


def test_lines_are_appended(daemon: Daemon) -> None:
    """A restart keeps what was logged before."""
    daemon.log.write_bytes(b"before\n")
    daemon.start()
    daemon.compose.call_args.kwargs["write_line"](b"after\n")
    daemon.stop()
    assert daemon.log.read_bytes() == b"before\nafter\n"


# -- while it runs -----------------------------------------------------------------------------------------------------


def test_the_service_manager_hears_when_it_is_ready(daemon: Daemon) -> None:
    """Not before the reactor runs on open sockets and an open journal; the status is what an operator looks for."""
    daemon.open_journal.side_effect = lambda *_, **__: daemon.reports.opening.assert_called_once() or daemon.journal
    daemon.start()
    daemon.reports.ready.assert_not_called()
    with mock.patch.object(signal, "signal"):
        for running, arguments, named in daemon.reactor.whenRunningHooks:
            running(*arguments, **named)
    status, ask = daemon.reports.ready.call_args.args
    assert ask is daemon.service._committer, "the watchdog asks the journal's own thread"
    daemon.reactor.port.getHost.return_value = mock.Mock(host="127.0.0.1", port=4242)
    daemon.journal.problem, daemon.journal.key_id = None, "kid"
    assert status() == "listening on 127.0.0.1:4242, signing with the key kid"
    daemon.journal.problem = "the journal cannot be written: No space left on device"
    assert status() == daemon.journal.problem
    daemon.stop()
    (said, within) = daemon.reports.stopping.call_args.args
    assert "stopping" in said
    assert within == GRACE + RESET_WITHIN + 5.0


def test_sigterm_stops_once_and_is_not_what_the_process_dies_of(daemon: Daemon) -> None:
    """An orchestrator's SIGTERM ends in exit code 0, and sending it twice does not disturb the drain."""
    daemon.start()
    with mock.patch.object(signal, "signal") as install:
        for running, arguments, named in daemon.reactor.whenRunningHooks:
            running(*arguments, **named)
    handlers = {call.args[0]: call.args[1] for call in install.mock_calls}
    handler = handlers[signal.SIGTERM]
    handlers[signal.SIGHUP](signal.SIGHUP, None)
    daemon.reports.reloading.call_args.args[0]()
    assert daemon.events[-1] == "hung up"
    assert daemon.reactor.stops == 0
    handler(signal.SIGTERM, None)
    assert daemon.reactor.stops == 1
    daemon.stop()
    handler(signal.SIGTERM, None)
    assert daemon.reactor.stops == 1
    daemon.events.clear()
    handlers[signal.SIGHUP](signal.SIGHUP, None)  # nothing is read again on the way out
    assert daemon.events == []
    daemon.reports.reloading.assert_called_once()


# -- stop --------------------------------------------------------------------------------------------------------------


def test_the_order_of_a_stop(daemon: Daemon) -> None:
    """First what is in flight, then no new connections, then the connections out, and last the journal."""
    daemon.start()
    answers = daemon.stop()
    assert daemon.events == [
        "draining", "port closed", "late connections dismissed", "dialler closed", "governance closed", *LAST
    ]  # fmt: skip
    assert answers == [None]


def test_what_is_in_flight_may_finish(daemon: Daemon) -> None:
    """The journal stays open for the decisions of exchanges that are still going on, the port for health probes."""
    daemon.start()
    daemon.draining = Deferred()
    answers = daemon.stop()
    daemon.reactor.advance(GRACE - 1)
    assert (daemon.events, answers) == (["draining"], [])
    daemon.draining.callback(None)
    assert daemon.events[1] == "port closed"
    assert daemon.events[-1] == "journal closed"
    assert "reset" not in daemon.events
    assert answers == [None]


def test_what_does_not_finish_is_reset(daemon: Daemon) -> None:
    """After the grace period the daemon stops all the same, well before an orchestrator kills it."""
    daemon.start()
    daemon.draining = Deferred()
    answers = daemon.stop()
    daemon.reactor.advance(GRACE)
    assert daemon.events[2:] == ["reset", "draining"]
    daemon.reactor.advance(RESET_WITHIN)
    assert daemon.events[4:] == ["dialler closed", "governance closed", *LAST]
    assert answers == [None]
    assert GRACE + RESET_WITHIN < 30


def test_late_connections_do_not_hold_up_the_stop(daemon: Daemon) -> None:
    """The grace period is for all of it: a probe that does not read its answer costs no more."""
    daemon.start()
    daemon.parts.factory.dismiss.side_effect = Deferred
    answers = daemon.stop()
    daemon.reactor.advance(GRACE - 1)
    assert (daemon.events, answers) == (["draining", "port closed"], [])
    daemon.reactor.advance(1)
    assert "reset" in daemon.events
    daemon.reactor.advance(RESET_WITHIN)
    assert answers == [None]


def test_outcomes_of_what_was_reset_come_before_the_end(daemon: Daemon) -> None:
    """The journal is closed behind the last connection, as soon as that is gone."""
    daemon.start()
    daemon.draining = Deferred()
    answers = daemon.stop()
    daemon.reactor.advance(GRACE)
    assert answers == []
    daemon.draining.callback(None)
    assert daemon.events[-2:] == LAST
    assert answers == [None]


def test_a_journal_that_cannot_be_closed(daemon: Daemon) -> None:
    """A full disk does not keep the process alive."""
    daemon.start()
    daemon.journal.close.side_effect = lambda: fail(JournalUnavailable("disk full"))
    assert daemon.stop() == [None]


def test_a_stop_without_a_start(daemon: Daemon) -> None:
    """twistd stops what it could not start; that says nothing more."""
    daemon.open_journal.side_effect = JournalUnavailable("no")
    with pytest.raises(SystemExit):
        daemon.start()
    assert daemon.stop() == [None]
    assert daemon.events == []


def test_descriptors_are_closed(daemon: Daemon) -> None:
    """The log's descriptor does not outlive the service."""
    daemon.start()
    descriptor = daemon.service._descriptor
    assert descriptor is not None
    daemon.stop()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_standard_output_is_not_closed(daemon: Daemon) -> None:
    """With ``-`` the lines go to descriptor 1, which is not ours to close."""
    daemon.service._decision_log = "-"
    daemon.start()
    assert daemon.service._descriptor is None
    assert daemon.stop() == [None]
    os.fstat(1)
