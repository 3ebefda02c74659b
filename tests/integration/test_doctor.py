"""``eve-proxy doctor`` for real: kernel rules, two network namespaces, a proxy, and what goes wrong with each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.client import UNPROVEN, verify
from tests.integration.crossing import METADATA6, NAME, OTHER4, PROXY_UID, WEB4, WEB6, Crossing, missing
from tests.integration.sidecar import ROOT, SECRET

REASON = missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

DIRECT = [f"{host}:{port}" for host in (WEB4, f"[{WEB6}]") for port in (80, 443, 8443)]
PLACES = [
    *(part for where in DIRECT for part in ("--direct", where)),
    *("--target", f"http://{NAME}/", "--target", f"https://{NAME}/"),
    *("--metadata", "169.254.169.254", "--metadata", METADATA6, "--resolver", OTHER4, "--timeout", "2"),
]
TCP4, TCP6 = [[f"tcp-{port}-v{version}" for port in (80, 443, 8443)] for version in (4, 6)]
BY_NAME = ["no-proxy-http", "no-proxy-https"]
QUIC, NAMELESS = ({f"{kind}-v4", f"{kind}-v6"} for kind in ("udp-443", "tls-nameless"))
AROUND = {*TCP4, *TCP6, *BY_NAME, *QUIC, *NAMELESS, "metadata", "metadata-2"}


class Examined:
    """What one run said."""

    def __init__(self, crossing: Crossing, *arguments: str, uid: str | None = None, **environ: str) -> None:
        chosen = {} if uid is None else {"uid": uid}
        run = crossing.doctor(*PLACES, "--json", *arguments, **chosen, **environ)
        assert run.stdout, run.stderr
        self.exit = run.returncode
        self.said: dict[str, Any] = json.loads(run.stdout)
        assert self.said["exit"] == self.exit
        self.checks = {each["check"]: each for each in self.said["checks"]}

    def named(self, result: str) -> set[str]:
        return {name for name, each in self.checks.items() if each["result"] == result}


@pytest.mark.parametrize("kind", ["iptables", "nftables"])
def test_with_the_rules_every_way_around_is_closed(crossing: Crossing, tmp_path: Path, kind: str) -> None:
    """Exit 0 and each way named as closed; the result is in the journal, signed, and the journal verifies."""
    applied = crossing.rules() if kind == "iptables" else crossing.nft("-f", str(ROOT / "etc/redirect.nft"))
    assert applied.returncode == 0, applied.stderr
    crossing.proxy()
    with crossing.resolver(OTHER4):
        found = Examined(crossing, "--record", JWT_SECRET_KEY=SECRET)
    assert (found.exit, found.named("fail"), found.named("warn")) == (0, set(), set()), found.checks
    assert found.named("ok") >= AROUND
    assert found.named("info") == {"dns-outside"}
    assert found.named("skip") <= {"proxy-variables", "daemon-file-limit", "clock-outside"}
    for name in (*TCP4[:2], *TCP6[:2], *BY_NAME, *NAMELESS, "metadata", "metadata-2"):
        assert "led to the proxy" in found.checks[name]["meaning"], found.checks[name]
    for name in (TCP4[2], TCP6[2], *QUIC):
        assert "refused at once" in found.checks[name]["meaning"]
    assert {visit["via"] for visit in crossing.reached() if visit["port"] == 80} == {"1.1 eve"}
    recorded = found.said["record"]
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [line for line in lines if line["kind"] == "posture"] == [recorded]
    assert (recorded["record"]["exit"], recorded["record"]["reported_by"]) == (0, "127.0.0.1")
    assert recorded["record"]["results"]["tcp-443-v4"] == "ok"
    assert verify(tmp_path / "journal.jsonl")[0] == UNPROVEN


def test_without_rules_every_way_is_named_as_open(crossing: Crossing) -> None:
    """Exit 1, each way around by its name, with what to do; the ways in are well all the same."""
    crossing.proxy()
    found = Examined(crossing)
    assert found.exit == 1
    assert found.named("fail") == AROUND
    assert all("redirect.nft" in found.checks[name]["advice"] for name in AROUND)
    assert found.named("ok") >= {"governed-http", "governed-https", "connect-port", "connect-loopback", "healthz"}


def test_the_proxy_stopped(crossing: Crossing) -> None:
    """The ways around stay closed, and the way in is reported as broken."""
    crossing.rules()
    found = Examined(crossing)
    assert (found.exit, found.named("fail")) == (1, {"proxy-reachable"})
    assert found.named("ok") >= AROUND
    assert "twistd" in found.checks["proxy-reachable"]["advice"]


def test_only_ipv6_is_open(crossing: Crossing) -> None:
    """Rules for IPv4 alone, as the deployment guide has them."""
    crossing.rules()
    for table in ("nat", "filter"):
        assert crossing.inside("ip6tables", "-t", table, "-F", "OUTPUT").returncode == 0
    crossing.proxy()
    found = Examined(crossing)
    assert (found.exit, found.named("fail")) == (1, {*TCP6, "udp-443-v6", "tls-nameless-v6", "metadata-2"})


def test_only_quic_is_open(crossing: Crossing, tmp_path: Path) -> None:
    """TCP is led to the proxy, UDP 443 is not rejected."""
    rules = (ROOT / "etc/redirect.nft").read_text()
    without = rules.replace("        udp dport 443 reject\n", "")
    assert without != rules
    (tmp_path / "rules.nft").write_text(without)
    assert crossing.nft("-f", str(tmp_path / "rules.nft")).returncode == 0
    crossing.proxy()
    found = Examined(crossing)
    assert (found.exit, found.named("fail")) == (1, QUIC)
    assert "QUIC" in found.checks["udp-443-v4"]["meaning"]


def test_quic_is_dropped(crossing: Crossing, tmp_path: Path) -> None:
    """Silence is neither open nor closed: exit 3, until the operator says that it is known."""
    # Dropped in its own namespace, a sender would be told at once; what drops it elsewhere tells nobody.
    rules = (ROOT / "etc/redirect.nft").read_text().replace("        udp dport 443 reject\n", "")
    (tmp_path / "rules.nft").write_text(rules)
    assert crossing.nft("-f", str(tmp_path / "rules.nft")).returncode == 0
    assert crossing.outside("nft", "add table inet away").returncode == 0
    assert crossing.outside("nft", "add chain inet away in { type filter hook input priority 0; }").returncode == 0
    assert crossing.outside("nft", "add rule inet away in udp dport 443 drop").returncode == 0
    crossing.proxy()
    found = Examined(crossing)
    assert (found.exit, found.named("warn")) == (3, QUIC)
    known = Examined(crossing, "--accept", "udp-443-v4", "--accept", "udp-443-v6")
    assert known.exit == 0
    assert known.checks["udp-443-v4"]["accepted"]


def test_an_environment_that_exempts_everything(crossing: Crossing) -> None:
    """NO_PROXY=* is a failure even where rules make up for it."""
    crossing.rules()
    crossing.proxy()
    found = Examined(crossing, NO_PROXY="*", HTTP_PROXY="http://127.0.0.1:3128", http_proxy="http://127.0.0.1:3128",
                     HTTPS_PROXY="http://127.0.0.1:3128")  # fmt: skip
    assert (found.exit, found.named("fail")) == (1, {"no-proxy-variable"})
    assert found.checks["proxy-variables"]["result"] == "ok"
    assert "--internal" in found.checks["no-proxy-variable"]["advice"]


@pytest.mark.parametrize(
    ("settings", "failed"),
    [
        (
            {"EVE_PROXY_ALLOWED_NETWORKS": "169.254.169.254/32"},
            {"metadata", "connect-metadata", "proxy-metadata"},
        ),
        ({"EVE_PROXY_ALLOWED_NETWORKS": "127.0.0.0/8"}, {"connect-loopback"}),
        ({"EVE_PROXY_CONNECT_PORTS": "*"}, {"connect-port"}),
        ({"EVE_PROXY_FAIL_CLOSED": "0"}, {"fail-closed"}),
    ],
)
def test_what_an_operator_opened(crossing: Crossing, settings: dict[str, str], failed: set[str]) -> None:
    """Each is found, and nothing else is reported as open."""
    crossing.rules()
    crossing.proxy(**settings)
    found = Examined(crossing)
    assert (found.exit, found.named("fail")) == (1, failed), found.checks
    assert all(name in str([found.checks[each]["advice"] for each in failed]) for name in settings)


def test_a_proxy_that_does_not_let_this_client_in(crossing: Crossing) -> None:
    """403 is said with the variable; nothing is recorded for a stranger."""
    crossing.rules()
    crossing.proxy(EVE_PROXY_ALLOWED_CLIENTS="203.0.113.0/24")
    found = Examined(crossing, "--record")
    assert found.exit == 1
    assert {"governed-http", "governed-https", "posture-record"} <= found.named("fail")
    assert "EVE_PROXY_ALLOWED_CLIENTS" in found.checks["governed-http"]["advice"]
    assert "403" in found.checks["posture-record"]["meaning"]
    assert found.said["record"] is None
    assert crossing.reached() == []


def test_the_user_that_the_rules_exempt(crossing: Crossing) -> None:
    """An application that runs as the proxy's user goes around it, and is told why."""
    crossing.rules()
    crossing.proxy()
    found = Examined(crossing, uid=PROXY_UID)
    assert found.exit == 1
    assert found.named("fail") == {*AROUND, "same-user"}


def test_the_table(crossing: Crossing) -> None:
    """A person reads check, result, meaning and, once for each, what to do."""
    crossing.proxy()
    shown = crossing.doctor(*PLACES)
    assert shown.returncode == 1
    assert f"tcp-443-v4         FAIL   {WEB4}:443 is reached without the proxy" in shown.stdout
    assert shown.stdout.count("nft -f etc/redirect.nft") >= 1
    assert "A way around is open" in shown.stdout
