"""The Dockerfiles and the compose file, read without building anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from eve_proxy.settings.variables import BY_NAME

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "etc" / "docker").glob("*Dockerfile"))
HADOLINT = Path(sys.executable).with_name("hadolint")


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "etc/docker/compose.yaml").read_text("utf-8"))["services"]
    return found


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint is not installed (scripts/venv deploy; Linux on x86-64)")
@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda path: path.name)
def test_the_linter_finds_nothing(file: Path) -> None:
    """hadolint, also at its lowest level."""
    command = [str(HADOLINT), "--failure-threshold", "style", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_sidecars_image() -> None:
    """An ordinary user, a health check, and the plugin cache made before the root is read-only."""
    text = (ROOT / "etc/docker/Dockerfile").read_text("utf-8")
    last = text[text.rindex("\nFROM ") :]
    assert "USER 1337:1337" in last
    assert "HEALTHCHECK" in last
    assert "getPlugins(IPlugin)" in text
    assert "--require-hashes" in text
    assert "VOLUME /var/lib/eve-proxy" in last


def test_the_order_of_the_compose_file() -> None:
    """The network, then the rules, then the sidecar, and the application when that is healthy; one network for all."""
    found = services()
    wanted = {
        name: {each: how["condition"] for each, how in service.get("depends_on", {}).items()}
        for name, service in found.items()
    }
    started, done = "service_started", "service_completed_successfully"
    assert wanted == {
        "network": {},
        "redirect": {"network": started},
        "eve-sidecar": {"network": started, "redirect": done},
        "app": {"network": started, "redirect": done, "eve-sidecar": "service_healthy"},
    }
    assert {service.get("network_mode") for service in found.values()} == {None, "service:network"}


def test_what_the_compose_file_permits() -> None:
    """Every capability is dropped but that of the rules, and the daemon knows every variable it is given."""
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"]
        assert service.get("cap_add") == (["NET_ADMIN"] if name == "redirect" else None)
        assert "no-new-privileges:true" in service["security_opt"]
        assert (service.get("read_only") is True) is (name != "app")
    assert set(services()["eve-sidecar"]["environment"]) <= set(BY_NAME)
    grace = re.fullmatch(r"(\d+)s", services()["eve-sidecar"]["stop_grace_period"])
    assert grace is not None
    assert int(grace[1]) > 20
    assert "1337" not in services()["app"]["user"]
