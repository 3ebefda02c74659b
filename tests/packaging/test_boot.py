"""docs/deploy/vm.md, followed literally in a machine that boots: sockets, readiness, watchdog, rules, removal.

Slow (minutes): scripts/test --all. EVE_TEST_DEBIAN=FOLDER keeps the Debian for the next run.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.integration.crossing import WEB4, WEB6, Crossing
from tests.integration.crossing import missing as missing_namespaces
from tests.packaging.machine import PACKAGES, ROOT, Machine, checkout, debian, missing, wheels

REASON = missing() or missing_namespaces()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]
PAGE = (ROOT / "docs/deploy/vm.md").read_text()
SITE = "example.com"
STATE = "/var/lib/eve-proxy"
JOURNAL = f"{STATE}/data/governance/fail_closed/fail_closed_events.jsonl"
SOCKETS = ("eve-proxy.socket", "eve-proxy-transparent.socket")
PROXY = ("-x", "http://127.0.0.1:3128")


def blocks(heading: str) -> list[str]:
    """The commands under a heading of the page."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found


class Host:
    """The machine that the page is followed on, and the internet before it."""

    def __init__(self, folder: Path) -> None:
        root = debian(folder)
        checkout(root / "root/eve-proxy")
        wheels(root / "root/wheels")
        # The machine reaches no package index: what pip would fetch is here.
        (root / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /root/wheels\n")
        (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{WEB4} {SITE}\n")
        ca = trustme.CA()
        leaf = ca.issue_cert(SITE, WEB4, WEB6)
        leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
        (folder / "chain.pem").write_bytes(b"".join([blob.bytes() for blob in leaf.cert_chain_pems]))
        ca.cert_pem.write_to_path(str(root / "usr/local/share/ca-certificates/test.crt"))
        self.crossing = Crossing(folder, folder / "chain.pem", folder / "key.pem")
        self.machine = Machine(root, self.crossing.app)

    def follow(self, heading: str) -> list[str]:
        """Do what the page says; what each block printed."""
        return [self.machine.sh(f"cd /root/eve-proxy\n{block}") for block in blocks(heading)]

    def curl(self, *arguments: str, seconds: int = 10) -> tuple[int, str]:
        """As an application: another user, without any proxy setting."""
        user = ("setpriv", "--reuid=4321", "--regid=4321", "--clear-groups")
        return self.machine.code(*user, "curl", "-sS", "--max-time", str(seconds), *arguments)

    def records(self) -> list[dict[str, Any]]:
        """The journal."""
        return [json.loads(line) for line in self.machine.run("cat", JOURNAL).splitlines()]

    def verify(self, *keys: str) -> tuple[int, str]:
        """eve-proxy verify over the journal's folder."""
        trusted = [option for key in keys for option in ("--jwks", f"/etc/eve-proxy/{key}")]
        return self.machine.code("/opt/eve-proxy/bin/eve-proxy", "verify", *trusted, str(Path(JOURNAL).parent))

    def pid(self) -> int:
        return int(self.machine.show("eve-proxy.service", "MainPID"))

    def stop(self) -> None:
        """The service, and the sockets that would start it again."""
        self.machine.run("systemctl", "stop", *SOCKETS, "eve-proxy.service")

    def start(self) -> None:
        self.machine.run("systemctl", "start", *SOCKETS, "eve-proxy.service")

    def close(self) -> None:
        self.machine.off()
        self.crossing.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The tests of this module are one story, told in order."""
    folder = tmp_path_factory.mktemp("boot")
    try:
        with closing(Host(folder)) as made:
            made.machine.boot()
            made.machine.run("update-ca-certificates")
            yield made
    finally:
        shutil.rmtree(folder / "root", ignore_errors=True)  # pytest would keep several


def test_the_packages_of_the_page_are_what_is_here() -> None:
    """This machine reaches no archive, so that this one block is not run: nothing beyond it is installed for it."""
    (block,) = blocks("Packages")
    wanted = block.splitlines()[-1].split("--no-install-recommends ")[1].split()
    # Those make a Debian of debootstrap's a machine; an installed one has them.
    assert set(PACKAGES.split(",")) - set(wanted) == {"systemd", "systemd-sysv", "dbus", "iproute2"}
    assert set(wanted) <= set(PACKAGES.split(","))


def test_install_and_start(host: Host) -> None:
    """From the wheel to a service that is ready, by the page's own commands."""
    host.follow("The program")
    (said,) = host.follow("The user")
    assert said.startswith("uid=1337(eve-proxy) gid=1337(eve-proxy)")
    _, rehearsed = host.follow("Settings and the key")
    assert "allow" in rehearsed
    host.machine.sh(
        "cat > /etc/systemd/system/application.service <<'END'\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\nEND"
    )
    _, tried = host.follow("Start")
    assert "Active: active (running)" in tried
    assert 'Status: "listening on 127.0.0.1:3128, signing with the key ' in tried
    assert "HTTP/1.1 200 OK" in tried
    assert '"verdict":"allow"' in tried
    assert [visit["via"] for visit in host.crossing.reached()] == ["1.1 eve"]


def test_what_the_process_may(host: Host) -> None:
    """Its own user, no capability, a filter on its system calls; nobody else reads the journal."""
    status = dict(
        line.split(":\t", 1)
        for line in host.machine.run("cat", f"/proc/{host.pid()}/status").splitlines()
        if "\t" in line
    )
    assert status["Uid"].split() == status["Gid"].split() == ["1337"] * 4
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0, capabilities
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert host.machine.run("stat", "-c", "%a %U %G", STATE, JOURNAL) == (
        "700 eve-proxy eve-proxy\n600 eve-proxy eve-proxy\n"
    )
    assert host.curl(f"file://{JOURNAL}")[0] == 37


def test_a_connection_starts_it(host: Host) -> None:
    """The service is not there, its sockets are: the client that connects is served, not refused."""
    host.machine.run("systemctl", "stop", "eve-proxy.service")
    assert host.machine.show("eve-proxy.service", "ActiveState") == "inactive"
    code, answer = host.curl("-i", *PROXY, f"http://{SITE}/", seconds=30)
    assert code == 0, answer
    assert '"verdict":"allow"' in answer
    assert host.machine.show("eve-proxy.service", "ActiveState") == "active"
    assert host.curl(*PROXY, f"https://{SITE}/", seconds=30) == (0, "origin\n")
    code, said = host.verify("jwks-1.json")
    assert code == 3, said  # it runs: no proven end


def test_a_reload_changes_the_key(host: Host) -> None:
    """systemctl reload: the old key's last record names the new one, which signs from then on."""
    before, pid = host.records()[-1], host.pid()
    (said,) = host.follow("A new key")
    assert "signing with the key" in said
    rotations = [record for record in host.records() if record["kind"] == "key_rotation"]
    assert len(rotations) == 1
    assert host.pid() == pid
    assert host.curl(*PROXY, f"http://{SITE}/") == (0, "origin\n")
    last = [record for record in host.records() if record["kind"] == "decision"][-1]
    assert last["key_id"] != before["key_id"]
    assert last["key_id"] in said
    assert host.verify("jwks-1.json")[0] == 4
    assert host.verify("jwks-1.json", "jwks-2.json")[0] == 3


def test_the_watchdog_restarts_what_hangs(host: Host) -> None:
    """A process that stands still is killed and started again; who connects meanwhile waits and is served."""
    host.machine.sh(
        "printf '[Service]\\nWatchdogSec=3\\n' > /etc/systemd/system/eve-proxy.service.d/watchdog.conf\n"
        "systemctl daemon-reload\nsystemctl restart eve-proxy"
    )
    pid = host.pid()
    host.machine.sh(f"sleep 5; kill -STOP {pid}")  # alive for longer than the watchdog's time, then not
    assert host.machine.show("eve-proxy.service", "NRestarts") == "0"
    code, answer = host.curl("-i", *PROXY, f"http://{SITE}/", seconds=60)
    if code:  # it was accepted before it stood still, and died with the process
        code, answer = host.curl("-i", *PROXY, f"http://{SITE}/", seconds=60)
    assert (code, '"verdict":"allow"' in answer) == (0, True), answer
    assert host.machine.show("eve-proxy.service", "NRestarts") == "1"
    assert host.pid() != pid
    assert "Watchdog timeout (limit 3s)!" in host.machine.log("eve-proxy.service")
    kinds = [record["kind"] for record in host.records()]
    assert kinds.count("session_open") == kinds.count("session_close") + 2  # one was killed, one runs
    host.machine.sh("rm /etc/systemd/system/eve-proxy.service.d/watchdog.conf\nsystemctl daemon-reload")
    host.stop()
    assert host.records()[-1]["kind"] == "session_close"
    code, said = host.verify("jwks-1.json", "jwks-2.json")
    assert code == 0, said
    host.start()


def test_a_fault_is_shown_and_mended(host: Host) -> None:
    """A variable that contradicts the socket: not ready, the reason in the log; mended, it comes by itself."""
    host.machine.sh("echo EVE_PROXY_PORT=3129 >> /etc/eve-proxy/eve-proxy.env")
    assert host.machine.code("systemctl", "restart", "eve-proxy", timeout=60)[0] != 0
    assert "EVE_PROXY_PORT=3129, but the socket that was passed listens on 127.0.0.1:3128" in host.machine.log(
        "eve-proxy"
    )
    host.machine.sh("sed -i '$d' /etc/eve-proxy/eve-proxy.env")
    assert host.curl(*PROXY, f"http://{SITE}/", seconds=30) == (0, "origin\n")


def test_the_rules(host: Host) -> None:
    """No proxy is set, and it is decided all the same; other ports and other users' ways are shut."""
    host.crossing.reached()
    assert host.curl(f"http://{SITE}/") == (0, "origin\n")
    assert [visit["via"] for visit in host.crossing.reached()] == [None]
    _, tried, _ = host.follow("The rules")
    assert '"verdict":"allow"' in tried
    assert "Failed to connect" in tried  # the port that is rejected
    assert host.curl(f"https://{SITE}/") == (0, "origin\n")
    assert host.curl(f"http://{SITE}/") == (0, "origin\n")
    assert host.curl(f"http://[{WEB6}]/") == (0, "origin\n")
    assert host.curl(f"http://{SITE}:8443/")[0] == 7
    assert {visit["via"] for visit in host.crossing.reached() if visit["port"] == 80} == {"1.1 eve"}
    assert "eve-proxy-redirect.service" in host.machine.show("application.service", "Requires")


def test_without_the_proxy_nothing_leaves(host: Host) -> None:
    """Stopped with its sockets, and with the unit of the rules too: an application reaches nothing."""
    host.crossing.reached()
    host.stop()
    assert host.curl(f"http://{SITE}/")[0] == 7
    host.machine.run("systemctl", "stop", "eve-proxy-redirect.service")
    assert host.curl(f"https://{SITE}/")[0] == 7
    assert host.crossing.reached() == []
    host.machine.run("systemctl", "start", "eve-proxy-redirect.service")
    host.machine.run("systemctl", "start", *SOCKETS)
    # The sockets alone: the connection starts the proxy.
    assert host.curl(f"http://{SITE}/", seconds=30) == (0, "origin\n")


@pytest.mark.parametrize("verb", ["start", "reload", "restart", "stop"])
def test_debians_own_firewall_does_not_open_it(host: Host, verb: str) -> None:
    """nftables.service flushes every rule: ours stand behind it again."""
    host.machine.run("systemctl", verb, "nftables.service")
    assert "skuid 1337" in host.machine.run("nft", "list", "table", "inet", "eve_redirect")
    assert host.curl(f"http://{SITE}:8443/")[0] == 7


def test_rules_for_another_user_are_refused(host: Host) -> None:
    """The unit does not exempt a stranger."""
    host.machine.sh("sed -i 's/eve_uid = 1337/eve_uid = 1338/' /etc/eve-proxy/redirect.nft")
    assert host.machine.code("systemctl", "restart", "eve-proxy-redirect.service")[0] != 0
    assert "is not the id of the user eve-proxy" in host.machine.log("eve-proxy-redirect")
    assert "skuid 1337" in host.machine.run("nft", "list", "table", "inet", "eve_redirect")  # those before go on
    host.machine.sh("sed -i 's/eve_uid = 1338/eve_uid = 1337/' /etc/eve-proxy/redirect.nft")
    host.machine.run("systemctl", "start", "eve-proxy-redirect.service", "application.service")


def test_the_evidence(host: Host) -> None:
    """The page's own commands: a whole journal over every restart so far, renamed by logrotate in between."""
    host.machine.run("logrotate", "--force", "/etc/logrotate.d/eve-proxy")
    assert host.curl(f"http://{SITE}/") == (0, "origin\n")
    host.machine.sh("cp /etc/eve-proxy/jwks-1.json /root/; cat > /root/both.py <<'END'\n"
                    "import json\nfiles = [f'/etc/eve-proxy/jwks-{n}.json' for n in (1, 2)]\n"
                    "keys = [key for name in files for key in json.load(open(name))['keys']]\n"
                    "json.dump({'keys': keys}, open(files[0], 'w'))\nEND\npython3 /root/both.py")  # fmt: skip
    (said,) = host.follow("The evidence")
    assert "whole" in said
    assert "and 1 before it" in said
    assert "Failed to connect" in said
    assert host.curl(f"http://{SITE}/", seconds=30) == (0, "origin\n")


def test_the_next_boot(host: Host) -> None:
    """The rules stand before the network does, the sockets before any application, and it is served."""
    host.machine.off()
    assert host.crossing.nft("delete", "table", "inet", "eve_redirect").returncode == 0
    host.machine.boot()
    assert host.curl(f"http://{SITE}/", seconds=30) == (0, "origin\n")

    def when(unit: str) -> int:
        return int(host.machine.show(unit, "ActiveEnterTimestampMonotonic"))

    rules = when("eve-proxy-redirect.service")
    assert 0 < rules <= when("network-pre.target")
    assert rules <= when("sysinit.target") <= when("sockets.target")
    assert all(when(socket) <= when("sockets.target") for socket in SOCKETS)
    assert when("sockets.target") <= when("eve-proxy.service")
    kinds = [record["kind"] for record in host.records()]
    assert kinds[-1] != "session_close"
    assert host.verify("jwks-1.json", "jwks-2.json")[0] == 3


def test_a_new_version(host: Host) -> None:
    """Installed over the running one, restarted: the chain goes on."""
    pid = host.pid()
    host.follow("A new version")
    assert host.pid() != pid
    assert host.curl(f"http://{SITE}/", seconds=30) == (0, "origin\n")


def test_removal(host: Host) -> None:
    """Nothing is left but the evidence; the way out is open again."""
    host.follow("Removing it")
    host.crossing.reached()
    assert host.curl(f"http://{SITE}/") == (0, "origin\n")
    assert [visit["via"] for visit in host.crossing.reached()] == [None]
    assert "eve" not in host.machine.run("nft", "list", "ruleset")
    assert host.machine.code("systemctl", "cat", "eve-proxy.service")[0] == 1
    assert host.machine.code("test", "-e", "/opt/eve-proxy")[0] == 1
    assert host.records()[-1]["kind"] == "session_close"
    assert host.machine.run("sh", "-c", f"ls {STATE}/jwks-*.json").count("jwks") == 2
