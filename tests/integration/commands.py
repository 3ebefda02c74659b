"""The programs that people use with the proxy, and what they said. Never imports the product."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.sidecar import ROOT, SECRET

Fields = dict[str, str]
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_VERIFY = """
import json, sys, types
from eve_proxy.fail_closed import verify_certificate
response = types.SimpleNamespace(headers=json.load(sys.stdin))
cert = json.loads(response.headers["X-EVE-Decision-Cert"])
assert verify_certificate(cert), "certificate tampered or wrong key"
"""


@dataclass(frozen=True)
class Reply:
    """What curl got.

    :ivar heads: status and fields (lower-case names) of every response: the CONNECT's, a 100's, each redirect's.
    """

    heads: tuple[tuple[int, Fields], ...]
    body: bytes
    exit: int
    errors: str

    @property
    def status(self) -> int:
        """Of the last response."""
        assert self.heads, f"curl exited with {self.exit}: {self.errors}"
        return self.heads[-1][0]

    @property
    def fields(self) -> Fields:
        """Of the last response."""
        return self.heads[-1][1]

    @property
    def certificate(self) -> dict[str, Any]:
        """The first certificate that any of the heads carries."""
        return next(
            json.loads(fields["x-eve-decision-cert"]) for _, fields in self.heads if "x-eve-decision-cert" in fields
        )


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without anything that would configure the product or a client's proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EVE_", "JWT_")) and name.lower() not in _PROXY_VARIABLES
    }
    return kept | {"PYTHONPATH": str(ROOT)} | settings


def curl(proxy: str, *arguments: str, stdin: bytes | None = None, timeout: int = 60) -> Reply:
    """curl through ``proxy``."""
    with tempfile.TemporaryDirectory() as folder:
        heads, body = Path(folder) / "heads", Path(folder) / "body"
        command = ["curl", "-q", "-sS", "-g", "--max-time", str(timeout), "--noproxy", "", "-x", proxy]
        command += ["-D", str(heads), "-o", str(body), *arguments]
        done = subprocess.run(command, env=environment(), input=stdin, capture_output=True, check=False)
        return Reply(
            heads=parse_heads(heads.read_bytes()) if heads.exists() else (),
            body=body.read_bytes() if body.exists() else b"",
            exit=done.returncode,
            errors=done.stderr.decode(),
        )


def parse_heads(data: bytes) -> tuple[tuple[int, Fields], ...]:
    """The heads in ``data``, each ended by a blank line."""
    found = []
    for head in data.decode("latin-1").split("\r\n\r\n"):
        if head:
            first, *lines = head.split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            found.append((int(first.split(" ")[1]), fields))
    return tuple(found)


def eve_proxy(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """``eve-proxy`` in a process of its own, with these variables set and no others."""
    program = "import sys; from eve_proxy.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, *arguments]
    environ = environment(**{"JWT_SECRET_KEY": SECRET, **settings})
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)


def guide_verifies(header: str, secret: str = SECRET) -> bool:
    """The guide's section 4, line by line, in a process that has the key in its environment."""
    done = subprocess.run(
        [sys.executable, "-c", _VERIFY],
        env=environment(JWT_SECRET_KEY=secret),
        input=json.dumps({"X-EVE-Decision-Cert": header}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 or "certificate tampered or wrong key" in done.stderr, done.stderr
    return done.returncode == 0
