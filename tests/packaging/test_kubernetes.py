"""The Kubernetes manifests: valid for three versions, and as safe as the guide's pod has to be."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = sorted((ROOT / "etc" / "kubernetes").glob("*.yaml"))
# The deployment guide's own pod, which test_guide_pod.py runs.
GUIDES = ROOT / "tests" / "packaging" / "guide" / "pod.yaml"


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def pods(path: Path) -> list[dict[str, Any]]:
    specs = [document["spec"] for document in documents(path) if document["kind"] in ("Pod", "StatefulSet")]
    return [spec["template"]["spec"] if "template" in spec else spec for spec in specs]


@pytest.mark.parametrize("version", ["1.29", "1.31", "1.33"])
@pytest.mark.parametrize("path", [*MANIFESTS, GUIDES], ids=lambda path: path.name)
def test_the_cluster_would_take_it(path: Path, version: str) -> None:
    """Every field exists, in the version that has native sidecars and in later ones."""
    if importlib.util.find_spec("kubernetes_validate") is None:
        pytest.skip("kubernetes-validate is not installed (pip install -e '.[contract]')")
    import kubernetes_validate

    for document in documents(path):
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_no_container_has_more_than_it_needs(path: Path) -> None:
    """Restricted: an ordinary user, no capability, a read-only root, bounded memory; only the rules get NET_ADMIN."""
    assert pods(path)
    for pod in pods(path):
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"]["drop"] == ["ALL"]
            assert context["capabilities"].get("add") == (["NET_ADMIN"] if container["name"] == "redirect" else None)
            assert context["runAsNonRoot"] is (container["name"] != "redirect")
            assert "memory" in container["resources"]["limits"]


def test_the_application_starts_last() -> None:
    """Rules, then the sidecar as a restartable init container that must be ready, then the application."""
    (pod,) = pods(ROOT / "etc" / "kubernetes" / "sidecar.yaml")
    redirect, sidecar = pod["initContainers"]
    assert redirect["name"] == "redirect"
    assert "restartPolicy" not in redirect
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("eve-sidecar", "Always")
    assert sidecar["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert sidecar["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_exempt_user_is_the_sidecars() -> None:
    """Rules, image and manifests mean the same user, and nobody else runs as it."""
    (pod,) = pods(ROOT / "etc" / "kubernetes" / "sidecar.yaml")
    users = {
        container["name"]: container["securityContext"]["runAsUser"]
        for container in [*pod["initContainers"], *pod["containers"]]
    }
    assert users == {"redirect": 0, "eve-sidecar": 1337, "app": 10001}
    assert "EVE_REDIRECT_UID:-1337" in (ROOT / "etc" / "redirect-iptables.sh").read_text("utf-8")
    assert "USER 1337:1337" in (ROOT / "etc" / "docker" / "Dockerfile").read_text("utf-8")
