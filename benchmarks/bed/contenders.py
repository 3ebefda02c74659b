"""What is measured: this tree's sidecar, and Envoy with ext_authz as its peer."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bed.daemons import Bed, Daemon, accepts, unused_port

ROOT = Path(__file__).resolve().parents[2]
_LISTENING = re.compile(r"listening on \S+?:(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One listening port of a contender and the process whose time it spends."""

    port: int
    daemon: Daemon


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A proxy with both ways in.

    :ivar governed: asks the governor over HTTP, with the body.
    :ivar plain: forwards and tunnels without a question over the network: the sidecar with its embedded governor
        (deciding, certifying, recording all the same), Envoy without ext_authz (doing none of it). None: cannot.
    """

    name: str
    version: str
    governed: Way
    plain: Way | None


def sidecar(bed: Bed, *, reactor: str | None = None) -> Contender:
    """``twistd eve-sidecar`` from this tree, journal on and synced, decision log on.

    :param reactor: for ``twistd --reactor``; None for the sidecar's own choice.
    """
    label = "eve-proxy" if reactor is None else f"eve-proxy ({reactor})"
    twistd = Path(sys.executable).with_name("twistd")

    def way(kind: str, governance: str) -> Way:
        name = f"{kind}-{reactor or 'stock'}"
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("EVE_", "JWT_"))}
        environ.update(
            PYTHONPATH=str(ROOT),
            JWT_SECRET_KEY="the secret of a benchmark, 32 and more",
            EVE_PROXY_HOST="127.0.0.1",
            EVE_PROXY_PORT="0",
            EVE_PROXY_TRANSPARENT_PORT="0",
            EVE_PROXY_ORG_ID="benchmark",
            EVE_PROXY_AUDIT_LOG=str(bed.folder / f"{name}.jsonl"),
            EVE_PROXY_AUDIT_SYNC="batch",
            EVE_PROXY_ALLOWED_NETWORKS="127.0.0.0/8",
            EVE_PROXY_CONNECT_PORTS="*",
            EVE_PROXY_CONNECT_SNI="off",
            EVE_PROXY_GOVERNANCE_URL=governance,
        )
        chosen = [] if reactor is None else [f"--reactor={reactor}"]
        command = [str(twistd), *chosen, "-n", "--pidfile=", "eve-sidecar"]
        daemon = bed.start(name, command, environ=environ, ready=lambda output: _LISTENING.search(output) is not None)
        found = _LISTENING.search(daemon.output.read_text(errors="replace"))
        assert found is not None
        return Way(port=int(found.group(1)), daemon=daemon)

    return Contender(
        name=label,
        version=_git_revision(),
        governed=way("hosted", f"http://127.0.0.1:{bed.governor}"),
        plain=way("embedded", "embedded"),
    )


def floor(bed: Bed) -> Contender:
    """The least Python that does the governed work; the other works are not its own."""
    journal = str(bed.folder / "floor.journal")
    command = [sys.executable, str(Path(__file__).with_name("floor.py")), str(bed.origin), str(bed.governor), journal]
    daemon = bed.start("floor", command, ready=lambda output: _LISTENING.search(output) is not None)
    found = _LISTENING.search(daemon.output.read_text(errors="replace"))
    assert found is not None
    return Contender(
        name="floor", version="unversioned", governed=Way(port=int(found.group(1)), daemon=daemon), plain=None
    )


def find_envoy(given: str | None) -> str | None:
    """The program, or None: it is not a dependency of this project (benchmarks/README.md says how to get it)."""
    beside = ROOT / ".venvs" / "bench" / "bin" / "envoy"
    return given or (str(beside) if beside.exists() else shutil.which("envoy"))


def envoy(bed: Bed, program: str, *, gate: bool) -> Contender:
    """Envoy on one worker thread: one listener with ext_authz, one without.

    :param gate: set up for the work of an egress gate: it goes wherever the request says (dynamic forward proxy),
        judges the address before it connects (RBAC) and logs each decision as one line of JSON. Without it, Envoy
        passes everything on to one fixed address and logs nothing: the least that it can cost.
    """
    governed, plain = unused_port(), unused_port()
    name = "Envoy, egress gate" if gate else "Envoy, bare"
    config = bed.folder / f"envoy-{gate}.json"
    config.write_text(json.dumps(_envoy_config(bed, governed, plain, gate)))
    base = str(os.getpid() + gate)
    command = [program, "-c", str(config), "--concurrency", "1", "--base-id", base, "-l", "error"]
    daemon = bed.start(name, command, ready=lambda _: accepts(governed) and accepts(plain))
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"/(\d+\.\d+\.\d+)", said)
    return Contender(
        name=name,
        version=version.group(1) if version else "unknown",
        governed=Way(port=governed, daemon=daemon),
        plain=Way(port=plain, daemon=daemon),
    )


def _envoy_config(bed: Bed, governed: int, plain: int, gate: bool) -> dict[str, Any]:
    authz = _extension(
        "envoy.filters.http.ext_authz",
        "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        http_service={
            "server_uri": {"uri": f"http://127.0.0.1:{bed.governor}", "cluster": "governor", "timeout": "2s"},
            "path_prefix": "/v1/decisions/evaluate",
        },
        with_request_body={"max_request_bytes": 65536, "allow_partial_message": False},
        failure_mode_allow=False,
    )
    filters = _gate_filters() if gate else []
    target = "anywhere" if gate else "origin"
    log = str(bed.folder / "envoy.log") if gate else None
    origin = _dynamic_cluster() if gate else _cluster("origin", bed.origin)
    return {
        "static_resources": {
            "listeners": [
                _listener("governed", governed, target, [authz, *filters], log),
                _listener("plain", plain, target, filters, log),
            ],
            "clusters": [origin, _cluster("governor", bed.governor)],
        }
    }


_LOOKUPS = {"name": "lookups", "dns_lookup_family": "V4_ONLY"}
# One line per decision with what the sidecar's own line says, as far as Envoy knows it.
_LOG_LINE = {
    "time": "%START_TIME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "method": "%REQ(:METHOD)%",
    "authority": "%REQ(:AUTHORITY)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "status": "%RESPONSE_CODE%",
    "why": "%RESPONSE_CODE_DETAILS%",
    "upstream": "%UPSTREAM_HOST%",
    "received": "%BYTES_RECEIVED%",
    "sent": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
}


def _gate_filters() -> list[dict[str, Any]]:
    """Look the destination up, then refuse the addresses that nobody should reach from inside."""
    forward = _extension(
        "envoy.filters.http.dynamic_forward_proxy",
        "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
        dns_cache_config=_LOOKUPS,
        save_upstream_address=True,
    )

    def network(prefix: str, size: int) -> dict[str, Any]:
        matcher = _extension(
            "envoy.rbac.matchers.upstream_ip_port",
            "envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher",
            upstream_ip={"address_prefix": prefix, "prefix_len": size},
        )
        return {"matcher": matcher}

    special = [
        network(*pair) for pair in (("10.0.0.0", 8), ("172.16.0.0", 12), ("192.168.0.0", 16), ("169.254.0.0", 16))
    ]
    guard = _extension(
        "envoy.filters.http.rbac",
        "envoy.extensions.filters.http.rbac.v3.RBAC",
        rules={
            "action": "DENY",
            "policies": {"inside": {"permissions": [{"or_rules": {"rules": special}}], "principals": [{"any": True}]}},
        },
    )
    return [forward, guard]


def _dynamic_cluster() -> dict[str, Any]:
    kind = _extension(
        "envoy.clusters.dynamic_forward_proxy",
        "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
        dns_cache_config=_LOOKUPS,
    )
    return {
        "name": "anywhere",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": kind,
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [{"max_connections": 4096, "max_pending_requests": 4096}]},
    }


def _listener(name: str, port: int, target: str, filters: list[dict[str, Any]], log: str | None) -> dict[str, Any]:
    routes = [
        {
            "match": {"connect_matcher": {}},
            "route": {"cluster": target, "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]},
        },
        {"match": {"prefix": "/"}, "route": {"cluster": target}},
    ]
    router = _extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")
    lines = {"path": log, "log_format": {"json_format": _LOG_LINE}}
    access = _extension("envoy.access_loggers.file", "envoy.extensions.access_loggers.file.v3.FileAccessLog", **lines)
    connection = _extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        codec_type="HTTP1",
        upgrade_configs=[{"upgrade_type": "CONNECT"}],
        route_config={"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        http_filters=[*filters, router],
        access_log=[access] if log else [],
    )
    return {"name": name, "address": _address(port), "filter_chains": [{"filters": [connection]}]}


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [{"max_connections": 4096, "max_pending_requests": 4096}]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _extension(name: str, kind: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/{kind}", **settings}}


def _git_revision() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"
