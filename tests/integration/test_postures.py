"""What a posture cannot stop, and what it does: the proof of each line of docs/deploy/postures.md that had none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.crossing import APP_UID, NAME, WEB4, Crossing, apply, as_user, missing
from tests.integration.sidecar import Sidecar, until

REASON = missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def test_net_admin_removes_the_rules(crossing: Crossing) -> None:
    """Without the right the rules stay; with it they are gone in one line, and everything is open."""
    apply(crossing)
    flush = ("nft", "delete", "table", "inet", "eve_redirect")
    assert crossing.inside("setpriv", f"--reuid={APP_UID}", "--clear-groups", *flush).returncode != 0
    assert crossing.curl(f"http://{NAME}/").returncode == 7
    right = ("setpriv", f"--reuid={APP_UID}", "--clear-groups", "--inh-caps=+net_admin", "--ambient-caps=+net_admin")
    assert crossing.inside(*right, *flush).returncode == 0
    assert crossing.curl(f"http://{NAME}/").stdout == "origin\n"


_FRAME = """
import socket, struct, sys
target, source_mac, target_mac = sys.argv[1], *[bytes.fromhex(mac.replace(":", "")) for mac in sys.argv[2:4]]
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
body = b"secret"
udp = struct.pack("!HHHH", 40000, 443, 8 + len(body), 0) + body
addresses = socket.inet_aton("10.50.0.2") + socket.inet_aton(target)
head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
head = head[:10] + struct.pack("!H", checksum(head + addresses)) + addresses
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("va", 0x0800))
sender.send(target_mac + source_mac + b"\\x08\\x00" + head + udp)
print("sent")
"""


def test_net_raw_sends_around_the_rules(crossing: Crossing) -> None:
    """A frame of one's own is seen by no rule of the namespace; an ordinary datagram is rejected."""
    apply(crossing)
    macs = [
        json.loads(run("ip", "-j", "link", "show", device).stdout)[0]["address"]
        for run, device in ((crossing.inside, "va"), (crossing.outside, "vb"))
    ]
    assert crossing.run(_FRAME, WEB4, *macs).stdout == ""
    right = ("setpriv", f"--reuid={APP_UID}", "--clear-groups", "--inh-caps=+net_raw", "--ambient-caps=+net_raw")
    sent = crossing.inside(*right, "/usr/bin/env", "python3", "-c", _FRAME, WEB4, *macs)
    assert sent.stdout == "sent\n", sent.stderr
    until(lambda: [visit for visit in crossing.reached() if visit["port"] == "udp"])


_PING = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
sender.settimeout(3)
sender.sendto(b"\\x08\\x00\\x00\\x00\\x00\\x01\\x00\\x01secret", (sys.argv[1], 0))
print(sender.recv(100)[-6:].decode())
"""


def test_icmp_is_not_stopped(crossing: Crossing) -> None:
    """Where the kernel lets users ping, an echo carries what one likes."""
    apply(crossing)
    allowed = crossing.inside("sh", "-c", "echo 0 65535 >/proc/sys/net/ipv4/ping_group_range")
    assert allowed.returncode == 0, allowed.stderr
    assert crossing.run(_PING, WEB4).stdout == "secret\n"


_LISTENER = """
import socket, sys
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind((sys.argv[1], 4500))
print("ready", flush=True)
while True:
    data, peer = listener.recvfrom(100)
    listener.sendto(data, peer)
"""
_DATAGRAM = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.settimeout(3)
sender.connect((sys.argv[1], 4500))
sender.send(b"secret")
print(sender.recv(100).decode())
"""


def test_other_udp_is_not_stopped(crossing: Crossing) -> None:
    """Only port 443, and what is no resolver's: WireGuard, IPsec or one's own protocol leave."""
    apply(crossing)
    with crossing.serving_outside(_LISTENER, WEB4) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "ready\n"
        assert crossing.run(_DATAGRAM, WEB4).stdout == "secret\n"


_EARLY = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 80), 5)
print("connected", flush=True)
sys.stdin.readline()
try:
    connection.sendall(b"GET /early HTTP/1.1\\r\\nHost: web.example\\r\\n\\r\\n")
    print(connection.recv(1000)[:12].decode(), flush=True)
except OSError as error:
    print(type(error).__name__, flush=True)
"""


@pytest.mark.parametrize("kind", ["iptables", "nftables"])
def test_connections_from_before_the_rules_are_cut(crossing: Crossing, kind: str) -> None:
    """An application that started too early does not keep its way out."""
    with crossing.serving(_EARLY, WEB4) as early:
        assert early.stdout is not None
        assert early.stdin is not None
        assert early.stdout.readline() == "connected\n"
        apply(crossing, kind)
        early.stdin.write("go on\n")
        early.stdin.flush()
        assert early.stdout.readline() in ("ConnectionRefusedError\n", "ConnectionResetError\n")
    assert crossing.reached() == []


def test_a_filter_outside_stays_whatever_the_application_may_do(crossing: Crossing, tmp_path: Path) -> None:
    """A gateway and a filter that is not in the application's namespace, as a NetworkPolicy is: it stays."""
    tmp_path.chmod(0o777)
    settings = {"EVE_PROXY_HOST": "10.50.0.1", "EVE_PROXY_ALLOWED_CLIENTS": "10.50.0.0/24"}
    prefix = ("ip", "netns", "exec", crossing.net, *as_user("1337"))
    for line in (
        "add table inet fence",
        "add chain inet fence in { type filter hook input priority 0; policy accept; }",
        "add rule inet fence in iifname vb ct state established accept",
        "add rule inet fence in iifname vb ip daddr 10.50.0.1 tcp dport 3128 accept",
        "add rule inet fence in iifname vb meta l4proto { tcp, udp } drop",
    ):
        assert crossing.outside("nft", line).returncode == 0
    with Sidecar(tmp_path, prefix=prefix, EVE_PROXY_PORT="3128", EVE_PROXY_ALLOWED_NETWORKS="", **settings):
        proxied = crossing.curl("--proxy", "http://10.50.0.1:3128", f"http://{WEB4}/")
        assert proxied.stdout == "origin\n", proxied.stderr
        assert crossing.inside("nft", "flush", "ruleset").returncode == 0
        direct = crossing.inside("curl", "-sS", "--max-time", "2", f"http://{WEB4}/")
        assert direct.returncode == 28
        places = ("--direct", f"{WEB4}:443", "--target", f"http://{WEB4}/", "--metadata", "169.254.169.254")
        shown = crossing.doctor("--proxy", "http://10.50.0.1:3128", *places, "--timeout", "1", "--json")
        found = {each["check"]: each["result"] for each in json.loads(shown.stdout)["checks"]}
        assert {name: found[name] for name in ("tcp-443-v4", "metadata", "no-proxy-http", "governed-http")} == (
            dict.fromkeys(("tcp-443-v4", "metadata", "no-proxy-http", "governed-http"), "ok")
        )
        assert found["udp-443-v4"] == "warn"
