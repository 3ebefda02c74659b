"""The shipped units, judged by systemd's own tools. Booted for real: test_boot.py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from eve_proxy.settings.variables import BY_NAME
from eve_proxy.systemd.sockets import NAMES

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "systemd"
SERVICES = sorted(SHIPPED.glob("*.service"))
SOCKETS = sorted(SHIPPED.glob("*.socket"))
UNITS = [*SERVICES, *SOCKETS]
# Those that speak HTTP and TLS.
DAEMONS = [unit for unit in SERVICES if unit.name != "eve-proxy-redirect.service"]
SYSTEMD = shutil.which("systemd-analyze")
SYSUSERS = shutil.which("systemd-sysusers")
needs_systemd = pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not installed (apt-get install systemd)")


def analyze(*arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [str(SYSTEMD), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environ})


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """All units in one folder. Their programs are not at their places on this machine; anything else that is said
    about them counts."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(
            re.sub(r"^(Exec\w+=)/(opt|usr/sbin)/\S+", r"\1/bin/true", unit.read_text(), flags=re.MULTILINE)
        )
    return tmp_path


def verified(folder: Path, *names: str) -> tuple[int, str]:
    done = analyze("verify", *[folder / name for name in names], SYSTEMD_UNIT_PATH=f"{folder}:")
    return done.returncode, done.stderr


@needs_systemd
@pytest.mark.parametrize("name", [unit.name for unit in UNITS])
def test_systemd_understands_every_line(name: str, installed: Path) -> None:
    """No misspelt or unknown setting: verify exits 0 on those, but complains on stderr."""
    assert verified(installed, name) == (0, "")


@needs_systemd
def test_a_line_that_systemd_does_not_understand_is_found(installed: Path) -> None:
    """The test before can fail."""
    unit = installed / "eve-proxy.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in verified(installed, unit.name)[1]


@needs_systemd
def test_all_units_together(installed: Path) -> None:
    """No cycle in the order of the boot, and each socket finds its service."""
    assert verified(installed, *[unit.name for unit in UNITS]) == (0, "")


@needs_systemd
@pytest.mark.parametrize("source", ["systemd/signing-key.conf", "docs/operations.md"])
def test_the_drop_in_for_a_private_key(source: str, installed: Path) -> None:
    """The lines for whoever signs with a private key, shipped and in the documents, are understood."""
    text = (ROOT / source).read_text()
    folder = installed / "eve-proxy.service.d"
    folder.mkdir()
    drop_in = text.split("```ini\n")[1].split("```")[0] if source.endswith(".md") else text
    (folder / "signing-key.conf").write_text(drop_in)
    assert "EVE_PROXY_SIGNING_KEY_FILE" in drop_in
    assert verified(installed, "eve-proxy.service") == (0, "")


@needs_systemd
def test_the_drop_in_for_debians_firewall(installed: Path) -> None:
    """The lines that put our rules back are understood, and name the file that the unit of the rules names."""
    text = (SHIPPED / "nftables.conf").read_text()
    (installed / "nftables.service").write_text("[Service]\nType=oneshot\nExecStart=/bin/true\n")
    (installed / "nftables.service.d").mkdir()
    (installed / "nftables.service.d" / "eve-proxy.conf").write_text(text.replace("/usr/sbin/nft", "/bin/true"))
    assert verified(installed, "nftables.service") == (0, "")
    assert text.count("nft -f /etc/eve-proxy/redirect.nft\n") == 3
    assert "nft -f /etc/eve-proxy/redirect.nft\n" in (SHIPPED / "eve-proxy-redirect.service").read_text()


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_unit_is_confined(unit: Path) -> None:
    """Its exposure, as systemd scores it (0 best, 10 worst), stays at 1.5 or better."""
    done = analyze("security", "--offline=yes", "--threshold=15", unit)
    assert done.returncode == 0, done.stdout[-400:]


@pytest.mark.skipif(SYSUSERS is None, reason="systemd-sysusers is not installed (apt-get install systemd)")
def test_the_user_is_the_one_of_the_rules(tmp_path: Path) -> None:
    """The uid that systemd-sysusers gives is the one that both files of rules exempt, and has no shell."""
    (tmp_path / "etc").mkdir()
    command = [str(SYSUSERS), f"--root={tmp_path}", str(SHIPPED / "eve-proxy.sysusers.conf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (entry,) = [line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("eve-proxy:")]
    name, _, uid, gid, _, home, shell = entry.split(":")
    assert (uid, gid, home, shell) == ("1337", "1337", "/var/lib/eve-proxy", "/usr/sbin/nologin")
    assert f"define eve_uid = {uid}\n" in (ROOT / "etc/redirect.nft").read_text()
    assert f"EVE_REDIRECT_UID:-{uid}" in (ROOT / "etc/redirect-iptables.sh").read_text()
    unit = (SHIPPED / "eve-proxy.service").read_text()
    assert f"\nUser={name}\n" in unit
    assert "DynamicUser" not in unit


def test_the_sidecar_unit_says_what_it_must() -> None:
    """It binds loopback, wants an explicit governor, reads the secret as a credential and writes no pid file."""
    text = (SHIPPED / "eve-proxy.service").read_text()
    assert "Environment=EVE_PROXY_HOST=127.0.0.1" in text
    assert re.search(r"^ExecStartPre=.*EVE_PROXY_GOVERNANCE_URL.*exit 1", text, re.MULTILINE)
    assert "LoadCredential=jwt_secret_key:" in text
    assert "twistd -n --pidfile= eve-sidecar" in text
    assert "EnvironmentFile=/etc/eve-proxy/eve-proxy.env" in text
    for line in (
        "Type=notify",
        "WatchdogSec=30",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "StateDirectoryMode=0700",
    ):
        assert f"\n{line}\n" in text


def test_the_sockets_are_called_what_the_daemon_knows() -> None:
    """A socket with another name would stop the start."""
    names = {name for unit in SOCKETS for name in re.findall(r"^FileDescriptorName=(.*)$", unit.read_text(), re.M)}
    assert names == {"proxy", "transparent"}
    assert names <= set(NAMES)
    assert "ListenStream=127.0.0.1:3128\n" in (SHIPPED / "eve-proxy.socket").read_text()
    port = BY_NAME["EVE_PROXY_TRANSPARENT_PORT"].default
    assert f"ListenStream=127.0.0.1:{port}\n" in (SHIPPED / "eve-proxy-transparent.socket").read_text()
    assert f"define eve_port = {port}\n" in (ROOT / "etc/redirect.nft").read_text()


def test_stopping_the_rules_opens_nothing() -> None:
    """No line of the unit takes them away."""
    text = (SHIPPED / "eve-proxy-redirect.service").read_text()
    assert not re.search(r"^ExecStop", text, re.MULTILINE)
    assert not re.search(r"^Conflicts=", text, re.MULTILINE)
    assert "RemainAfterExit=yes" in text
    assert "Before=network-pre.target" in text


@pytest.mark.parametrize("unit", DAEMONS, ids=lambda unit: unit.name)
def test_tls_still_works_in_the_unit(unit: Path) -> None:
    """Twisted's certificate verification needs writable and executable memory: the one switch that stays off."""
    assert not re.search(r"^MemoryDenyWriteExecute=", unit.read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", [*UNITS, SHIPPED / "signing-key.conf"], ids=lambda unit: unit.name)
def test_every_variable_in_a_unit_exists(unit: Path) -> None:
    """A renamed variable does not stay behind in a unit."""
    names = set(re.findall(r"\b(?:EVE_PROXY_[A-Z_]*[A-Z]|JWT_[A-Z_]*[A-Z])\b", unit.read_text()))
    assert names <= {*BY_NAME, "EVE_PROXY_MAX_CONNECTIONS"}
