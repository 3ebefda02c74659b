"""The Helm chart: rendered and linted by real Helm code, taken by three versions of Kubernetes, as safe as it says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from eve_proxy.settings.variables import BY_NAME
from tests.packaging.charts import (
    CHART,
    REASON,
    ROOT,
    VALUES,
    VERSIONS,
    Rendered,
    Thing,
    by_kind,
    containers,
    environment,
    objects,
    pod,
    render,
    values,
)
from tests.packaging.test_prometheus import kept, kubernetes_job

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
DEPLOYED = sorted(set(VALUES) - {"library"})
SIDECARS = [name for name in DEPLOYED if name.startswith("sidecar")]
GATEWAYS = [name for name in DEPLOYED if name.startswith("gateway")]


@pytest.fixture(scope="module")
def all_rendered() -> dict[str, Rendered]:
    return render({name: values(name) for name in VALUES})


@pytest.fixture(scope="module")
def things(all_rendered: dict[str, Rendered]) -> dict[str, list[Thing]]:
    return {name: objects(rendered) for name, rendered in all_rendered.items()}


@pytest.mark.parametrize("kube", VERSIONS)
def test_a_strict_lint_finds_nothing(kube: str) -> None:
    """No warning and no error, for any of the ci/ values, on any of the versions."""
    rendered = render({name: values(name) for name in VALUES}, kube=kube)
    assert {name: result["lint"] for name, result in rendered.items()} == {name: [] for name in VALUES}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", DEPLOYED)
def test_the_cluster_would_take_it(things: dict[str, list[Thing]], name: str, version: str) -> None:
    """Every field exists, in the version that has native sidecars and in later ones."""
    import kubernetes_validate

    for thing in things[name]:
        if thing["kind"] != "ServiceMonitor":  # not Kubernetes' own
            kubernetes_validate.validate(thing, version, strict=True)


def test_what_each_mode_deploys(things: dict[str, list[Thing]]) -> None:
    """A StatefulSet where the journal is on a claim; a gateway's budget and scaling; nothing for a library."""
    kinds = {name: sorted({thing["kind"] for thing in made}) for name, made in things.items()}
    whole = ["HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "Service", "StatefulSet"]
    assert kinds == {
        "gateway": whole,
        "gateway-full": sorted([*whole, "ServiceMonitor"]),
        "gateway-deployment": ["Deployment", "Service"],
        "sidecar": ["NetworkPolicy", "Service", "StatefulSet"],
        "sidecar-without-rules": ["Deployment", "Service"],
        "library": [],
    }


@pytest.mark.parametrize("name", DEPLOYED)
def test_no_container_has_more_than_it_needs(things: dict[str, list[Thing]], name: str) -> None:
    """Restricted, but for the rules: root and NET_ADMIN there, and nowhere else. No one but the proxy has the key."""
    spec = pod(things[name])["spec"]
    assert spec["enableServiceLinks"] is False
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["terminationGracePeriodSeconds"] > 20
    for each, container in containers(spec).items():
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"]["drop"] == ["ALL"]
        assert context["capabilities"].get("add") == (["NET_ADMIN"] if each == "redirect" else None)
        assert context["runAsNonRoot"] is (each != "redirect")
        assert (context["runAsUser"] == 0) is (each == "redirect")
        assert "memory" in container["resources"]["limits"]
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        assert ("eve-secrets" in mounted) is (each == "eve-sidecar")
    if "app" in containers(spec):
        assert containers(spec)["app"]["securityContext"]["runAsUser"] != 1337


def test_the_shipped_prometheus_configuration_finds_it(things: dict[str, list[Thing]]) -> None:
    """By pod or by the operator it is the metrics port and nothing else, in the job that the alerts ask for."""
    made = things["gateway-full"]
    found = [
        port["containerPort"]
        for name, container in containers(pod(made)["spec"]).items()
        for port in container["ports"]
        if kept(kubernetes_job(), name, port["name"])
    ]
    assert found == [values("gateway-full")["metrics"]["port"]]
    (monitor,) = by_kind(made, "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": kubernetes_job()["job_name"]}]


@pytest.mark.parametrize("name", DEPLOYED)
def test_variables_ports_and_probes_agree(things: dict[str, list[Thing]], name: str) -> None:
    """The daemon knows every variable, listens where the pod and its Services say, and is probed where it answers."""
    template = pod(things[name])
    sidecar = containers(template["spec"])["eve-sidecar"]
    settings = environment(sidecar)
    ours = {each for each in settings if each.startswith(("EVE_", "JWT_"))}
    assert ours <= set(BY_NAME)
    assert len(sidecar["env"]) == len(settings)
    ports = {port["name"]: port["containerPort"] for port in sidecar["ports"]}
    assert settings["EVE_PROXY_PORT"] == str(ports["proxy"])
    assert settings["EVE_PROXY_TRANSPARENT_PORT"] == str(ports.get("redirected", 0))
    assert settings.get("EVE_PROXY_METRICS_PORT") == (str(ports["metrics"]) if "metrics" in ports else None)
    redirect = containers(template["spec"]).get("redirect")
    if redirect is not None:
        told = environment(redirect)
        assert told["EVE_REDIRECT_PORT"] == settings["EVE_PROXY_TRANSPARENT_PORT"]
        assert told["EVE_REDIRECT_UID"] == str(sidecar["securityContext"]["runAsUser"])
        read = set(re.findall(r"EVE_REDIRECT_[A-Z]+", (ROOT / "etc/redirect-iptables.sh").read_text("utf-8")))
        assert set(told) <= read
    paths = {kind: sidecar[kind]["httpGet"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {kind: probe["path"] for kind, probe in paths.items()} == {
        "startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz",
    }  # fmt: skip
    assert {probe["port"] for probe in paths.values()} == {"proxy"}
    named = {port["name"]: port for each in containers(template["spec"]).values() for port in each.get("ports", [])}
    for service in by_kind(things[name], "Service"):
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(named)
    label = settings["EVE_PROXY_ORG_ID"]["fieldRef"]["fieldPath"]
    assert label == "metadata.labels['tenant']"
    assert template["metadata"]["labels"]["tenant"] == "bank-tier1-a"
    files = {
        item["path"]
        for volume in template["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in next(iter(source.values()))["items"]
    }
    texts = map(str, settings.values())
    assert {text.removeprefix("/run/secrets/eve/") for text in texts if text.startswith("/run/")} == files


@pytest.mark.parametrize("name", SIDECARS)
def test_the_application_starts_last(things: dict[str, list[Thing]], name: str) -> None:
    """Rules, then the sidecar, which is an init container that restarts and has to be ready, then the application."""
    spec = pod(things[name])["spec"]
    order = [each["name"] for each in spec["initContainers"]]
    assert order == (["redirect", "eve-sidecar"] if name == "sidecar" else ["eve-sidecar"])
    assert [each.get("restartPolicy") for each in spec["initContainers"]][-1] == "Always"
    assert "restartPolicy" not in spec["initContainers"][0] or len(order) == 1
    assert [each["name"] for each in spec["containers"]] == ["app"]
    settings = environment(spec["initContainers"][-1])
    assert settings["EVE_PROXY_ALLOWED_CLIENTS"] == "loopback"
    proxies = {text for each, text in environment(spec["containers"][0]).items() if each.lower() == "https_proxy"}
    assert proxies == {f"http://127.0.0.1:{settings['EVE_PROXY_PORT']}"}


@pytest.mark.parametrize("name", ["gateway", "gateway-full"])
def test_clients_reach_the_gateway_and_nothing_else(things: dict[str, list[Thing]], name: str) -> None:
    """Each client's namespace gets a policy whose other end is the gateway, which admits exactly those clients."""
    gate, *clients = by_kind(things[name], "NetworkPolicy")
    workload = pod(things[name])
    assert gate["spec"]["podSelector"]["matchLabels"].items() <= workload["metadata"]["labels"].items()
    admitted = gate["spec"]["ingress"][0]["from"]
    assert [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in admitted] == [
        client["metadata"]["namespace"] for client in clients
    ]
    assert [peer["podSelector"] for peer in admitted] == [client["spec"]["podSelector"] for client in clients]
    for client in clients:
        assert client["spec"]["policyTypes"] == ["Egress"]
        names, gateway = client["spec"]["egress"]
        assert {port["port"] for port in names["ports"]} == {53}
        (peer,) = gateway["to"]
        assert peer["podSelector"] == gate["spec"]["podSelector"]
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "egress"}
        proxy = containers(workload["spec"])["eve-sidecar"]["ports"][0]["containerPort"]
        assert gateway["ports"] == [{"port": proxy}]
    assert environment(containers(workload["spec"])["eve-sidecar"])["EVE_PROXY_ALLOWED_CLIENTS"] not in ("", "loopback")


@pytest.mark.parametrize("name", ["gateway", "gateway-full", "sidecar"])
def test_the_journal_outlives_the_pod(things: dict[str, list[Thing]], name: str) -> None:
    """A claim for each pod, kept when the scale shrinks or the release goes; the scaler counts the same workload."""
    (workload,) = by_kind(things[name], "StatefulSet")
    assert workload["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert [claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]] == ["journal"]
    mounts = containers(pod(things[name])["spec"])["eve-sidecar"]["volumeMounts"]
    assert {"name": "journal", "mountPath": "/var/lib/eve-proxy"} in mounts
    assert "WORKDIR /var/lib/eve-proxy" in (ROOT / "etc/docker/Dockerfile").read_text("utf-8")
    for scaler in by_kind(things[name], "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == ("StatefulSet", workload["metadata"]["name"])
        assert "replicas" not in workload["spec"]


@pytest.mark.parametrize(("name", "file"), [("sidecar", "sidecar.yaml"), ("gateway", "gateway.yaml")])
def test_the_plain_manifests_say_the_same(name: str, file: str) -> None:
    """Who applies etc/kubernetes/ gets what the chart's plainest values give."""
    plain = list(yaml.safe_load_all((ROOT / "etc/kubernetes" / file).read_text("utf-8")))
    full = {"sidecar": "customer-app", "gateway": "egress-gate"}[name]
    asked = values(name) | {"fullnameOverride": full}
    if name == "sidecar":
        asked["app"] = {"image": asked["app"]["image"]}
    made = objects(render({"it": asked})["it"])

    def comparable(thing: Thing) -> Any:
        ours = {"app.kubernetes.io/name": "eve-sidecar", "app.kubernetes.io/instance": "egress"}
        text = yaml.safe_dump(thing["spec"])
        spec = yaml.safe_load(text)
        selectors = [spec.get("selector"), *_selectors(spec)]
        for selector in selectors:
            if isinstance(selector, dict) and selector.items() >= ours.items():
                selector.clear()
                selector["app.kubernetes.io/name"] = full
        if "template" in spec:
            tenant = spec["template"]["metadata"]["labels"]["tenant"]
            spec["template"]["metadata"]["labels"] = {"app.kubernetes.io/name": full, "tenant": tenant}
        return spec

    key = lambda thing: (thing["kind"], thing["metadata"]["name"])  # noqa: E731
    assert {key(thing): comparable(thing) for thing in made} == {key(thing): thing["spec"] for thing in plain}


def _selectors(node: Any) -> list[dict[str, str]]:
    found = []
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "matchLabels":
                found.append(value)
            found += _selectors(value)
    elif isinstance(node, list):
        for value in node:
            found += _selectors(value)
    return found


REFUSED = [
    ({"mode": "gate"}, "at '/mode': value must be one of 'gateway', 'sidecar', 'library'"),
    ({"governence": {"url": "embedded"}}, "additional properties 'governence' not allowed"),
    ({"governance": {"ulr": "embedded"}}, "at '/governance': additional properties 'ulr' not allowed"),
    ({"governance": {"url": "governor.example"}}, "at '/governance/url'"),
    ({"env": {"HTTP_PROXY": "x"}}, "'HTTP_PROXY' does not match pattern '^EVE_PROXY_[A-Z_]+$'"),
    ({"env": {"EVE_PROXY_FAIL_CLOSED": True}}, "at '/env/EVE_PROXY_FAIL_CLOSED': got boolean, want integer or string"),
    ({"image": {"digest": "1234"}}, "at '/image/digest'"),
    ({"terminationGracePeriodSeconds": 20}, "minimum: got 20, want 30"),
    ({"tenant": "bank tier 1"}, "at '/tenant': 'bank tier 1' does not match"),
    ({"app": {"ports": [{"name": "proxy", "containerPort": 1}]}}, "at '/app/ports/0/name'"),
    ({"governance": {"url": ""}}, "governance.url is not set: write https://"),
    ({"tenant": ""}, "tenant is not set: write"),
    ({"networkPolicy": {"clients": []}}, "networkPolicy.clients is empty, so that nobody could reach the gateway"),
    ({"terminationGracePeriodSeconds": 30}, "write at least 35"),
    ({"gateway": {"autoscaling": {"minReplicas": 9}}}, "minReplicas is more than"),
    ({"mode": "sidecar"}, "app.image is not set: write"),
    ({"mode": "sidecar", "app": {"image": "a", "securityContext": {"runAsUser": 1337}}}, "would go around the proxy"),
    ({"env": {"EVE_PROXY_PORT": "1"}}, "env or extraEnv has EVE_PROXY_PORT, which the chart sets itself"),
    ({"extraEnv": [{"name": "EVE_PROXY_ORG_ID", "value": "x"}]}, "env or extraEnv has EVE_PROXY_ORG_ID"),
    ({"policy": {"configMap": "p"}, "governance": {"url": "https://g"}}, "policy.configMap is for"),
    ({"metrics": {"serviceMonitor": {"enabled": True}}}, "needs metrics.port"),
    ({"metrics": {"port": 3128}}, "have to differ"),
    ({"podLabels": {"tenant": "x"}}, "set tenant instead"),
]


def test_wrong_values_are_refused() -> None:
    """A misspelt name, a wrong type and a contradiction end the installation, and the message says what to write."""
    asked = {str(number): values("gateway") | wrong for number, (wrong, _) in enumerate(REFUSED)}
    rendered = render(asked)
    for number, (wrong, message) in enumerate(REFUSED):
        assert message in rendered[str(number)].get("error", "nothing: it was rendered"), wrong


def test_every_value_is_in_the_schema_and_the_other_way_round() -> None:
    """Who reads values.yaml has seen every value there is."""
    import json

    def paths(node: Any, schema: Any) -> set[str]:
        found = set()
        for name, value in node.items():
            found.add(name)
            inner = schema.get(name, {}).get("properties")
            if isinstance(value, dict) and inner is not None and schema[name].get("additionalProperties") is False:
                found |= {f"{name}.{rest}" for rest in paths(value, inner)}
        return found

    def declared(schema: Any) -> set[str]:
        found = set()
        for name, value in schema.items():
            found.add(name)
            if value.get("additionalProperties") is False:
                found |= {f"{name}.{rest}" for rest in declared(value["properties"])}
        return found

    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))["properties"]
    shown = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    assert paths(shown, schema) == declared(schema) - {"global"}


def test_another_chart_takes_the_parts(tmp_path: Path) -> None:
    """The README's example: a chart of one's own puts rules, sidecar and volumes into its pod."""
    text = (CHART / "README.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", text, re.DOTALL)
    parent = tmp_path / "my-app"
    for name, block in blocks:
        file = parent / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block, encoding="utf-8")
    assert {name for name, _ in blocks} == {"Chart.yaml", "values.yaml", "templates/app.yaml"}
    shutil.copytree(CHART, parent / "charts" / "eve-sidecar")
    rendered = render({"it": {}}, chart=parent)["it"]
    assert rendered["lint"] == []
    made = objects(rendered)
    assert [thing["kind"] for thing in made] == ["StatefulSet"]
    import kubernetes_validate

    kubernetes_validate.validate(made[0], "1.31", strict=True)
    spec = pod(made)["spec"]
    assert list(containers(spec)) == ["redirect", "eve-sidecar", "app"]
    assert environment(containers(spec)["eve-sidecar"])["EVE_PROXY_ALLOWED_CLIENTS"] == "loopback"
    assert [claim["metadata"]["name"] for claim in made[0]["spec"]["volumeClaimTemplates"]] == ["journal"]
    assert spec["volumes"][0]["name"] == "eve-secrets"


@pytest.mark.parametrize("name", DEPLOYED)
def test_the_notes_name_what_was_deployed(all_rendered: dict[str, Rendered], things: dict[str, Any], name: str) -> None:
    """The address to use is the Service's, and what is risky is said."""
    (notes,) = [text for path, text in all_rendered[name]["files"].items() if path.endswith("NOTES.txt")]
    asked = values(name)
    if name in GATEWAYS:
        service = next(each for each in by_kind(things[name], "Service") if each["spec"].get("clusterIP") != "None")
        port = service["spec"]["ports"][0]["port"]
        assert f"HTTPS_PROXY=http://{service['metadata']['name']}.egress.svc:{port}" in notes
    assert ("journal.storage is emptyDir" in notes) is (asked.get("journal", {}).get("storage") == "emptyDir")
    assert ("governance.url is embedded" in notes) is (asked["governance"]["url"] == "embedded")


@pytest.mark.parametrize(
    "page", ["docs/deploy/kubernetes-sidecar.md", "docs/deploy/kubernetes-gateway.md", "etc/helm/eve-sidecar/README.md"]
)
def test_the_pages_install_commands(page: str) -> None:
    """What a page tells to type is accepted by the chart."""
    text = (ROOT / page).read_text("utf-8").replace("\\\n", " ")
    commands = re.findall(r"^helm install .*$", text, re.MULTILINE)
    assert len(commands) == 1
    rendered = render({"it": ",".join(re.findall(r"--set (\S+)", commands[0]))})["it"]
    assert rendered["lint"] == []
    assert objects(rendered)


def test_the_charts_version_is_the_programs() -> None:
    """The image's default tag is this release."""
    from eve_proxy import __version__

    assert yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["appVersion"] == __version__
    for file in ("sidecar.yaml", "gateway.yaml", "journal-reader.yaml"):
        tags = re.findall(r"image: eveaicore/\S+?:(\S+)", (ROOT / "etc/kubernetes" / file).read_text("utf-8"))
        assert set(tags) == {__version__}
