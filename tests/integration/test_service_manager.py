"""The real daemon under a service manager: sockets that were opened for it, readiness, reload, watchdog, stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.origin import Origin
from tests.integration.client import get, get_head, pause, verify
from tests.integration.service_manager import Manager
from tests.integration.sidecar import ROOT, Sidecar, head_of, read_all, until
from tests.integration.test_keys import keygen

HELD = str(ROOT / "tests" / "integration" / "held_daemon.py")


def port_of(passed: socket.socket) -> int:
    port: int = passed.getsockname()[1]
    return port


def refused(tmp_path: Path, manager: Manager, **settings: Any) -> str:
    """A start that fails without having said that it is ready; its output."""
    sidecar = Sidecar(tmp_path, ready=False, **{**manager.starting(), **settings})
    assert sidecar.process.wait(20) != 0
    until(lambda: sidecar.finished)
    assert "Traceback" not in sidecar.output
    assert not manager.said("READY=1")
    assert not sidecar.journal.exists()
    return sidecar.output


def test_who_connects_before_it_is_up_is_served(tmp_path: Path) -> None:
    """A connection to a socket of the service manager waits for the daemon; its port is ours in every respect."""
    with Origin() as origin, Manager(tmp_path, "transparent", "proxy") as manager:
        redirected, proxy = manager.sockets
        with socket.create_connection(proxy.getsockname()) as early:
            early.sendall(get_head(origin.netloc))
            settings = {"EVE_PROXY_HOST": "127.0.0.1", "EVE_PROXY_PORT": None, "EVE_PROXY_TRANSPARENT_PORT": None}
            with Sidecar(tmp_path, **manager.starting(), **settings) as sidecar:
                early.settimeout(30)
                assert head_of(read_all(early))[0] == 200
                early.close()  # the stop would wait for it
                assert sidecar.port == port_of(proxy)
                with socket.create_connection(redirected.getsockname(), 10) as direct:
                    direct.sendall(get_head(origin.netloc))
                    assert head_of(read_all(direct))[0] == 200
                for own in (proxy, redirected):
                    answer = get(sidecar, f"127.0.0.1:{port_of(own)}")
                    assert answer.status == 451
                    assert b"this proxy itself" in answer.body
                assert sidecar.stop() == 0
        # The manager still has it: the next connection waits for the next start.
        socket.create_connection(proxy.getsockname(), 5).close()
    assert verify(sidecar.journal)[0] == 0


@pytest.mark.parametrize("abstract", [False, True])
def test_it_is_ready_when_it_serves(tmp_path: Path, abstract: bool) -> None:
    """READY=1 comes from a daemon that listens, with an open journal; STOPPING=1 before it is gone."""
    found: list[bool] = []
    with Origin() as origin, Manager(tmp_path, abstract=abstract) as manager:
        sidecar = Sidecar(tmp_path, ready=False, **manager.starting())

        def look(message: str) -> None:
            if message.startswith("READY=1"):
                ports = [line.rsplit(" ", 3)[0] for line in message.split("\n") if line.startswith("STATUS=")]
                port = int(message.split("listening on 127.0.0.1:")[1].split(",")[0])
                socket.create_connection(("127.0.0.1", port), 5).close()
                found.append(bool(ports) and sidecar.records()[0]["kind"] == "session_open")

        manager.when_told(look)
        sidecar.wait_ready()
        until(lambda: manager.said("READY=1"))
        assert found == [True]
        assert manager.heard[0] == "STATUS=opening the journal"
        assert not any("WATCHDOG" in message for message in manager.heard), "nobody asked"
        assert get(sidecar, origin).status == 200
        assert sidecar.stop() == 0
        until(lambda: manager.said("STOPPING=1"))
        assert [message.partition("\n")[0] for message in manager.heard[1:]] == ["READY=1", "STOPPING=1"]
        assert "EXTEND_TIMEOUT_USEC=26000000" in manager.heard[-1]
    assert verify(sidecar.journal)[0] == 0


def test_a_start_that_fails_is_never_ready(tmp_path: Path) -> None:
    """A journal that another daemon writes: the status says why, and systemd is not told that all is well."""
    with Sidecar(tmp_path), Manager(tmp_path) as manager:
        second = Sidecar(tmp_path, ready=False, **manager.starting())
        assert second.process.wait(20) == 1
        until(lambda: any("cannot start" in message for message in manager.heard))
        assert "is being written by process" in manager.heard[-1]
        assert not manager.said("READY=1")


def test_a_reload(tmp_path: Path) -> None:
    """RELOADING=1, the new key signs, READY=1 with its id: what `systemctl reload` waits for and `status` shows."""
    keygen(tmp_path / "key.pem")
    with Manager(tmp_path) as manager:
        settings = {"JWT_SECRET_KEY": None, "EVE_PROXY_SIGNING_KEY_FILE": str(tmp_path / "key.pem")}
        with Sidecar(tmp_path, **manager.starting(), **settings) as sidecar:
            until(lambda: manager.said("READY=1"))
            keygen(tmp_path / "next.pem")
            (tmp_path / "next.pem").rename(tmp_path / "key.pem")
            sidecar.process.send_signal(signal.SIGHUP)
            until(lambda: len(manager.heard) >= 4)
            reloading, ready = manager.heard[2:4]
            assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
            kinds = [record["kind"] for record in sidecar.records()]
            assert "key_rotation" in kinds
            rotation = sidecar.records()[kinds.index("key_rotation")]
            assert ready.startswith("READY=1\n")
            assert ready != manager.heard[1]
            assert ready.rsplit(" ", 1)[1] in str(rotation)


def test_the_watchdog_hears_of_a_daemon_that_turns(tmp_path: Path) -> None:
    """While a disk hangs for a moment too: that heals. When the reactor hangs, nothing more is heard."""
    hold = tmp_path / "hold"
    with Manager(tmp_path) as manager:
        started = manager.starting()
        started["prefix"] += (sys.executable, HELD, str(hold), str(tmp_path / "witness"))
        with Sidecar(tmp_path, **started, WATCHDOG_USEC="200000") as sidecar:
            until(lambda: manager.heard.count("WATCHDOG=1") > 3)
            hold.touch()
            before = manager.heard.count("WATCHDOG=1")
            until(lambda: manager.heard.count("WATCHDOG=1") > before + 5)
            hold.unlink()
            sidecar.process.send_signal(signal.SIGUSR1)
            pause(0.4)
            heard = len(manager.heard)
            pause(1)
            assert len(manager.heard) == heard
            sidecar.kill()


def test_a_watchdog_of_somebody_else(tmp_path: Path) -> None:
    """WATCHDOG_PID names another process: we do not speak for it."""
    with Manager(tmp_path) as manager:
        with Sidecar(tmp_path, **manager.starting(), WATCHDOG_USEC="100000", WATCHDOG_PID="1"):
            until(lambda: manager.said("READY=1"))
            pause(0.5)
        assert not any("WATCHDOG" in message for message in manager.heard)


def test_sockets_that_cannot_be_ours(tmp_path: Path) -> None:
    """Each is said before anything listens, with every other fault of the configuration."""
    with Manager(tmp_path, "proxy", "admin") as manager:
        said = refused(tmp_path, manager, EVE_PROXY_MAX_BODY="much")
        assert "'admin'" in said
        assert "EVE_PROXY_MAX_BODY" in said
        said = refused(tmp_path, manager, LISTEN_PID=str(os.getpid()))
        assert f"LISTEN_PID='{os.getpid()}'" in said
        said = refused(tmp_path, manager, LISTEN_FDNAMES="proxy:transparent", EVE_PROXY_PORT="1")
        assert "EVE_PROXY_PORT=1, but the socket that was passed listens on 127.0.0.1:" in said
        assert "EVE_PROXY_TRANSPARENT_PORT=0, but" in said


def test_descriptors_that_are_no_listening_tcp_sockets(tmp_path: Path) -> None:
    """A Unix socket, a connection, and a descriptor that is not open."""
    with Manager(tmp_path) as manager, socket.socket(socket.AF_UNIX) as unix, socket.socket() as idle:
        unix.bind(str(tmp_path / "unix"))
        unix.listen()
        manager.sockets += [unix, idle]
        said = refused(tmp_path, manager, LISTEN_FDS="3", LISTEN_FDNAMES="proxy:transparent:transparent")
        manager.sockets.clear()
    assert "descriptor 3 (proxy) is not a TCP socket" in said
    assert "descriptor 4 (transparent) does not listen" in said
    assert "descriptor 5 (transparent) is not a socket (Bad file descriptor)" in said
