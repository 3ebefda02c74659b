"""The deployment guide's own pod, with only the names of its images changed, and what has to be added to it.

The manifest is played by podman: its environment, its capabilities, its ports and its order. Slow (builds the images).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests.integration.crossing import NAME, WEB4
from tests.integration.sidecar import SECRET, until
from tests.packaging.images import REASON, Store
from tests.packaging.pods import Played

MANIFEST = Path(__file__).parent / "guide" / "pod.yaml"
IMAGES = {
    "customer/app:1.0": "localhost/eve-app:latest",
    "eveaicore/sidecar:latest": "localhost/eve-sidecar:latest",
    "eveaicore/iptables-init:latest": "localhost/eve-redirect:latest",
}
TENANT = {"tenant": "bank-tier1-a"}
EXEMPT = "! -o lo -m owner ! --uid-owner 1337 "
pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]


def manifest(*, labels: dict[str, str] | None = None, rules: bool = True, exempt: bool = False) -> dict[str, Any]:
    """The guide's pod with our images.

    :param labels: which it has none of, though it reads one.
    :param rules: with the init container that the guide adds.
    :param exempt: with one match of ours in the guide's rules.
    """
    pod: dict[str, Any] = yaml.safe_load(MANIFEST.read_text("utf-8"))
    for container in [*pod["spec"]["containers"], *pod["spec"]["initContainers"]]:
        container["image"] = IMAGES[container["image"]]
    if labels is not None:
        pod["metadata"]["labels"] = labels
    if not rules:
        del pod["spec"]["initContainers"]
    elif exempt:
        (redirect,) = pod["spec"]["initContainers"]
        redirect["args"] = [redirect["args"][0].replace("! -o lo ", EXEMPT)]
    return pod


@pytest.fixture
def played(store: Store, tmp_path: Path) -> Iterator[Played]:
    ca = trustme.CA()
    leaf = ca.issue_cert(NAME, WEB4)
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "chain.pem").write_bytes(b"".join([blob.bytes() for blob in leaf.cert_chain_pems]))
    made = Played(store, tmp_path, tmp_path / "chain.pem", tmp_path / "key.pem")
    made.secret("eve-signing-key", hmac=SECRET)
    try:
        yield made
    finally:
        made.close()


def curl(played: Played, *arguments: str, **variables: str) -> tuple[int, str]:
    return played.run("app", "curl", "-sSk", "--max-time", "8", "-w", " %{http_code}", *arguments, **variables)


def decisions(played: Played) -> list[dict[str, Any]]:
    _, text = played.run("eve-sidecar", "cat", "data/governance/fail_closed/fail_closed_events.jsonl")
    return [record for line in text.splitlines() if (record := json.loads(line))["kind"] == "decision"]


def test_an_application_that_heeds_the_variables(played: Played) -> None:
    """Probes answer at the pod's address, both kinds of request are decided, the tenant is the pod's label's."""
    played.play(manifest(labels=TENANT, rules=False))
    played.wait("/readyz", 3128, "eve-sidecar")
    assert played.probe("/healthz", 3128) == "ok"
    # curl heeds HTTPS_PROXY as it stands in the manifest, but http_proxy only in lower case.
    assert curl(played, f"https://{NAME}/") == (0, "origin\n 200")
    code, answered = curl(played, "-i", f"http://{NAME}/", http_proxy="http://127.0.0.1:3128")
    assert code == 0
    (header,) = [line for line in answered.splitlines() if line.startswith("X-EVE-Decision-Cert: ")]
    certificate = json.loads(header.partition(": ")[2])
    # It ignores the variables: nothing in this half of the manifest makes it.
    assert curl(played, "--noproxy", "*", f"http://{NAME}/") == (0, "origin\n 200")
    assert [visit.get("via") for visit in played.reached()] == [None, "1.1 eve", None]
    made = decisions(played)
    assert [line["request"]["method"] for line in made] == ["CONNECT", "GET"]
    assert made[1] == certificate
    assert {line["org_id"] for line in made} == {"bank-tier1-a"}


def test_with_the_guides_rules_as_written(played: Played) -> None:
    """Nothing goes around, and nothing gets out: they lead the proxy's own traffic back to it, which it cuts."""
    played.play(manifest(labels=TENANT))
    played.wait("/readyz", 3128, "eve-sidecar")
    assert played.probe("/healthz", 3128) == "ok"
    for arguments in (("--noproxy", "*", f"http://{NAME}/"), ("-x", "http://127.0.0.1:3128", f"http://{NAME}/")):
        code, answered = curl(played, *arguments)
        assert (code, answered[-4:]) == (0, " 502")
    assert curl(played, "--noproxy", "*", f"https://{NAME}/")[0] == 35
    assert curl(played, f"https://{NAME}/")[0] != 0
    assert played.reached() == []
    assert len(decisions(played)) == 4


def test_with_one_match_added_to_the_rules(played: Played) -> None:
    """The proxy's user exempt, everything works: with the variables, without them, and /healthz is the origin's."""
    played.play(manifest(labels=TENANT, exempt=True))
    played.wait("/readyz", 3128, "eve-sidecar")
    assert curl(played, "--noproxy", "*", f"http://{NAME}/healthz") == (0, "origin\n 200")
    assert curl(played, "--noproxy", "*", f"https://{NAME}/") == (0, "origin\n 200")
    assert curl(played, f"https://{NAME}/") == (0, "origin\n 200")
    assert [visit["path"] for visit in played.reached()] == ["/healthz", "/", "/"]
    said = played.logs("eve-sidecar").splitlines()
    log = [json.loads(line) for line in said if line.startswith('{"event":"decision"')]
    assert [line["route"] for line in log] == ["transparent", "transparent", "connect"]
    # What the guide's two rules leave open.
    assert curl(played, "--noproxy", "*", f"http://{WEB4}:8443/") == (0, "origin\n 200")
    assert played.reached()[0]["port"] == 8443


def test_without_the_label_it_does_not_start(played: Played) -> None:
    """The manifest reads a label that it does not have: an empty tenant is a fault that says so, not a default."""
    pod = manifest(rules=False)
    # What Kubernetes makes of a label that is not there; podman leaves the variable out.
    sidecar = pod["spec"]["containers"][1]
    sidecar["env"][0] = {"name": "EVE_PROXY_ORG_ID", "value": ""}
    played.play(pod)
    until(lambda: "nothing was started" in played.logs("eve-sidecar"), 30)
    assert "EVE_PROXY_ORG_ID" in played.logs("eve-sidecar")
    assert played.probe("/readyz", 3128) != "ok"
