"""The shipped unit, judged by systemd's own tools."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from eve_proxy.settings.variables import BY_NAME

UNITS = sorted((Path(__file__).parents[2] / "systemd").glob("*.service"))
SYSTEMD = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not installed (apt-get install systemd)")


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SYSTEMD), *map(str, arguments)], capture_output=True, text=True, timeout=60)


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    """No misspelt or unknown setting: verify exits 0 on those, but complains on stderr."""
    # The program is not at its place on this machine; anything else that is said counts.
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^(ExecStart=)\S+", r"\1/bin/true", unit.read_text(), flags=re.MULTILINE))
    done = analyze("verify", copy)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_the_drop_in_for_a_private_key(tmp_path: Path) -> None:
    """The lines that docs/operations.md gives to whoever signs with a private key are understood."""
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    copy, folder = tmp_path / "eve-proxy.service", tmp_path / "eve-proxy.service.d"
    unit = (UNITS[0].parent / copy.name).read_text()
    copy.write_text(re.sub(r"^(ExecStart=)\S+", r"\1/bin/true", unit, flags=re.MULTILINE))
    folder.mkdir()
    (folder / "signing-key.conf").write_text(page.split("```ini\n")[1].split("```")[0])
    done = analyze("verify", copy)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_unit_is_confined(unit: Path) -> None:
    """Its exposure, as systemd scores it (0 best, 10 worst), stays at 1.5 or better."""
    done = analyze("security", "--offline=yes", "--threshold=15", unit)
    assert done.returncode == 0, done.stdout[-400:]


def test_the_sidecar_unit_says_what_it_must() -> None:
    """It binds loopback, wants an explicit governor, reads the secret as a credential and writes no pid file."""
    text = (UNITS[0].parent / "eve-proxy.service").read_text()
    assert "Environment=EVE_PROXY_HOST=127.0.0.1" in text
    assert re.search(r"^ExecStartPre=.*EVE_PROXY_GOVERNANCE_URL.*exit 1", text, re.MULTILINE)
    assert "LoadCredential=jwt_secret_key:" in text
    assert "twistd -n --pidfile= eve-sidecar" in text
    assert "EnvironmentFile=/etc/eve-proxy/eve-proxy.env" in text


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_tls_still_works_in_the_unit(unit: Path) -> None:
    """Twisted's certificate verification needs writable and executable memory: the one switch that stays off."""
    assert not re.search(r"^MemoryDenyWriteExecute=", unit.read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_variable_in_a_unit_exists(unit: Path) -> None:
    """A renamed variable does not stay behind in a unit."""
    names = set(re.findall(r"\b(?:EVE_PROXY_[A-Z_]+|JWT_[A-Z_]+)\b", unit.read_text()))
    assert names <= set(BY_NAME)
