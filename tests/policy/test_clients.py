"""EVE_PROXY_ALLOWED_CLIENTS."""

import pytest

from eve_proxy.model.verdict import Outcome
from eve_proxy.policy.clients import UNIX_PEER, AllowedClients, refusal


@pytest.mark.parametrize(
    ("text", "admitted", "refused"),
    [
        ("loopback", "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1 unix", "10.0.0.1 ::2 ::ffff:10.0.0.1 128.0.0.1 0.0.0.0"),
        (
            "private",
            "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fd00::1 ::ffff:10.0.0.1",
            "127.0.0.1 ::1 172.32.0.0 100.64.0.1 8.8.8.8 2001:db8::1 unix",
        ),
        ("loopback, private", "127.0.0.1 10.1.1.1", "8.8.8.8"),
        ("LOOPBACK", "::1", "10.0.0.1"),
        ("10.1.0.0/16,2001:db8::/32", "10.1.255.1 2001:db8::7 ::ffff:10.1.0.1", "10.2.0.0 127.0.0.1 2001:db9:: unix"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("fe80::/10", "fe80::1%eth0 fe80::1", "10.0.0.1"),
        ("0.0.0.0/0", "8.8.8.8 ::ffff:8.8.8.8 unix", "2001:db8::1"),
    ],
)
def test_who_is_admitted(text: str, admitted: str, refused: str) -> None:
    """Exactly the listed clients may use the proxy, whatever family the socket has."""
    clients = AllowedClients.parse(text)
    for peer in admitted.split():
        assert clients.admits(peer), peer
        assert clients.admits(peer), "the kept answer is the same"
    for peer in refused.split():
        assert not clients.admits(peer), peer


@pytest.mark.parametrize("peer", ["", "localhost", "127.0.0.1:80", "127.1", "[::1]", "unix:/tmp/x"])
def test_a_peer_that_is_no_address_is_refused(peer: str) -> None:
    """What we cannot read we do not admit."""
    assert not AllowedClients.parse("0.0.0.0/0,::/0").admits(peer)


@pytest.mark.parametrize("text", ["", " ", ",", "localhost", "10.0.0.1/8", "loopback,everyone", "*"])
def test_bad_lists_stop_the_start(text: str) -> None:
    """A typing error admits nobody else by accident."""
    with pytest.raises(ValueError):
        AllowedClients.parse(text)


def test_a_bad_entry_is_answered_with_the_words() -> None:
    """The message says what may stand in the list."""
    with pytest.raises(ValueError, match=r'"localhost": .*words loopback and private'):
        AllowedClients.parse("localhost")


def test_the_refusal_names_the_variable() -> None:
    """The 403 tells the client's operator which setting to change."""
    verdict = refusal("203.0.113.9")
    assert verdict.outcome is Outcome.BLOCK
    assert (verdict.status, verdict.pillar, verdict.vector) == (403, "local", "client")
    assert "EVE_PROXY_ALLOWED_CLIENTS" in verdict.reason
    assert "203.0.113.9" in verdict.reason


def test_unix_peers_have_one_name() -> None:
    """The transport and this rule agree on what stands in ``peer``."""
    assert UNIX_PEER == "unix"
