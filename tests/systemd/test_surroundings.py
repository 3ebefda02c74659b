"""The variables of a service manager: what is taken from them, and what ends the start."""

from __future__ import annotations

import pytest

from eve_proxy.model.errors import ConfigurationError
from eve_proxy.systemd.surroundings import VARIABLES, Passed, Surroundings, take_surroundings

PID = 4242
SOCKETS = {"LISTEN_FDS": "2", "LISTEN_PID": "4242", "LISTEN_FDNAMES": "proxy:transparent"}


def faults_of(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        take_surroundings(environ, PID)
    return caught.value.faults


def test_without_a_service_manager_there_is_nothing() -> None:
    """Started from a shell, the daemon does as it always did."""
    environ = {"PATH": "/bin"}
    assert take_surroundings(environ, PID) == Surroundings()
    assert environ == {"PATH": "/bin"}


def test_what_is_read_is_taken_away() -> None:
    """A child that found the variables would tell the manager things in our name."""
    environ = {**SOCKETS, "NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "4242", "HOME": "/"}
    assert take_surroundings(environ, PID) == Surroundings(
        notify="/run/n",
        watchdog=30.0,
        passed=(Passed(descriptor=3, name="proxy"), Passed(descriptor=4, name="transparent")),
    )
    assert environ == {"HOME": "/"}


def test_they_are_taken_away_with_faults_too() -> None:
    """Also when the start fails."""
    environ = dict.fromkeys(VARIABLES, "?")
    assert len(faults_of(environ)) == 2  # another process's watchdog is none of ours
    assert environ == {}


@pytest.mark.parametrize("where", ["/run/systemd/notify", "@/org/notify"])
def test_where_the_manager_listens(where: str) -> None:
    """Paths and abstract names."""
    assert take_surroundings({"NOTIFY_SOCKET": where}, PID).notify == where


@pytest.mark.parametrize("where", ["run/notify", "vsock:2:1234", "@", "/"])
def test_where_nobody_can_be_told(where: str) -> None:
    """A daemon that could not say it is ready would be killed later, without a reason."""
    (fault,) = faults_of({"NOTIFY_SOCKET": where})
    assert "NOTIFY_SOCKET" in fault


def test_a_watchdog_for_another_process() -> None:
    """A wrapper's watchdog is the wrapper's."""
    assert take_surroundings({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, PID).watchdog is None
    assert take_surroundings({"WATCHDOG_USEC": "1500000"}, PID).watchdog == 1.5


@pytest.mark.parametrize("period", ["", "0", "-1", "1.5", "soon", "٣", "1" * 30])
def test_a_watchdog_that_makes_no_sense(period: str) -> None:
    """Said, instead of never or always being alive."""
    (fault,) = faults_of({"WATCHDOG_USEC": period})
    assert "WATCHDOG_USEC" in fault


@pytest.mark.parametrize("owner", [None, "1", "", "04242", "4242 "])
def test_sockets_for_another_process(owner: str | None) -> None:
    """They are not ignored: whoever passed them believes that we listen on them."""
    environ = {**SOCKETS, "LISTEN_PID": owner or ""}
    if owner is None:
        del environ["LISTEN_PID"]
    (fault,) = faults_of(environ)
    assert "LISTEN_PID" in fault
    assert "this process is 4242" in fault
    assert "exec" in fault


@pytest.mark.parametrize("count", ["", "-1", "one", "3.0", "1" * 30])
def test_a_number_of_sockets_that_is_none(count: str) -> None:
    """A fault, not no sockets."""
    (fault,) = faults_of({**SOCKETS, "LISTEN_FDS": count})
    assert "LISTEN_FDS" in fault


@pytest.mark.parametrize("names", [None, "", "proxy", "proxy:", ":proxy", "proxy:transparent:proxy"])
def test_sockets_without_names(names: str | None) -> None:
    """Which one is which is not guessed."""
    environ = {**SOCKETS, "LISTEN_FDNAMES": names or ""}
    if names is None:
        del environ["LISTEN_FDNAMES"]
    (fault,) = faults_of(environ)
    assert "FileDescriptorName=" in fault


def test_no_sockets() -> None:
    """LISTEN_FDS=0 needs no owner and no names; names alone mean nothing."""
    assert take_surroundings({"LISTEN_FDS": "0"}, PID).passed == ()
    assert take_surroundings({"LISTEN_FDNAMES": "proxy", "LISTEN_PID": "1"}, PID).passed == ()


def test_all_faults_at_once() -> None:
    """An operator mends the unit once."""
    environ = {"NOTIFY_SOCKET": "x", "WATCHDOG_USEC": "x", "LISTEN_FDS": "x"}
    assert len(faults_of(environ)) == 3
