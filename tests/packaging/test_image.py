"""The container images, built and run for real: a debootstrap base, buildah, podman, two containers in one namespace.

Slow (several minutes): scripts/test --all.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import trustme

from tests.integration.crossing import NAME, WEB4, WEB6, Crossing
from tests.integration.sidecar import SECRET
from tests.packaging.images import BASE, LIMITS, REASON, UNTIMED, Store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]


def test_what_is_in_it(store: Store) -> None:
    """An ordinary user, a health check, no installer; its size is printed."""
    config = json.loads(store.run("buildah", "inspect", "--type", "image", "eve-sidecar"))["Docker"]
    assert config["config"]["User"] == "1337:1337"
    assert config["config"]["Entrypoint"] == ["twistd", "-n", "--pidfile=", "eve-sidecar"]
    assert config["config"]["Healthcheck"]["Test"][0] == "CMD"
    sizes = [
        int(json.loads(store.run("podman", "image", "inspect", name))[0]["Size"]) for name in ("eve-sidecar", BASE)
    ]
    print(f"\neve-sidecar: {(sizes[0] - sizes[1]) / 1e6:.0f} MB on a base of {sizes[1] / 1e6:.0f} MB")
    assert sizes[0] - sizes[1] < 300e6
    listed = store.run(
        "podman", "run", "--rm", "--runtime", "runc", *LIMITS, "--no-healthcheck", "--network", "none",
        "--entrypoint", "ls", "eve-sidecar",
        "/opt/eve-proxy/bin",
    )  # fmt: skip
    assert "twistd" in listed
    assert "pip" not in listed


def test_a_pod(store: Store, tmp_path: Path) -> None:
    """Rules, sidecar and application in one network namespace: what the application sends is decided, or rejected."""
    ca = trustme.CA()
    leaf = ca.issue_cert(NAME, WEB4, WEB6)
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "chain.pem").write_bytes(b"".join([blob.bytes() for blob in leaf.cert_chain_pems]))
    secret, journal = tmp_path / "secret", tmp_path / "journal"
    secret.write_text(SECRET)
    journal.mkdir()
    os.chown(journal, 1337, 1337)
    crossing = Crossing(tmp_path, tmp_path / "chain.pem", tmp_path / "key.pem")
    try:
        hosts = f"/etc/netns/{crossing.app}/hosts"
        store.start("eve-redirect", crossing.app, "--cap-add", "NET_ADMIN", detach=False)
        assert crossing.curl(f"http://{NAME}/").returncode == 7  # the rules are there before the proxy is
        began = time.monotonic()
        sidecar = store.start(
            "eve-sidecar", crossing.app, *UNTIMED,
            "-e", "JWT_SECRET_KEY_FILE=/run/secrets/key", "-v", f"{secret}:/run/secrets/key:ro",
            "-v", f"{journal}:/var/lib/eve-proxy", "-v", f"{hosts}:/etc/hosts:ro",
            "-e", "EVE_PROXY_GOVERNANCE_URL=embedded", "-e", "EVE_PROXY_BLOCKED_HOSTS=pastebin.example",
        )  # fmt: skip
        while crossing.curl("http://127.0.0.1:3128/readyz").stdout != "ok":
            assert time.monotonic() - began < 30, store.run("podman", "logs", sidecar)
        print(f"\nready {time.monotonic() - began:.1f} s after podman run")
        # What an engine runs by itself every ten seconds, where there is a systemd.
        store.run("podman", "healthcheck", "run", sidecar)
        # Nothing is written beside the program, and nothing says that it could not be.
        assert store.run("podman", "diff", "--format", "json", sidecar).count("/opt/") == 0
        said = store.run("podman", "logs", sidecar)
        assert "dropin" not in said
        assert "Traceback" not in said
        answered = crossing.curl("-i", f"http://{NAME}/")
        assert '"verdict":"allow"' in answered.stdout
        assert crossing.curl("-w", "%{http_code}", "http://pastebin.example/").stdout.endswith("451")
        assert crossing.curl(f"http://{WEB4}:8443/").returncode == 7
        assert [visit["via"] for visit in crossing.reached()] == ["1.1 eve"]
        store.run("podman", "stop", "-t", "30", sidecar)
        assert store.run("podman", "inspect", sidecar, "--format", "{{.State.ExitCode}}") == "0"
        assert crossing.curl(f"http://{NAME}/").returncode == 7
    finally:
        crossing.close()
    (written,) = journal.rglob("*.jsonl")
    kinds = [json.loads(line)["kind"] for line in written.read_text().splitlines()]
    assert kinds[0] == "session_open"
    assert kinds[-1] == "session_close"
