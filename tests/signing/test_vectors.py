"""The published vectors: stable bytes, and the answers that the document promises."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785

from eve_proxy.cli.verify import main
from eve_proxy.fail_closed import verify_certificate

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
EXPECTED = json.loads((VECTORS / "expected.json").read_text())
SECRET = (VECTORS / "secret.txt").read_bytes().removesuffix(b"\n")


@pytest.mark.parametrize("name", EXPECTED)
def test_journal_is_answered_as_promised(name: str) -> None:
    """Another implementation can be checked against these files: exit, fault and line."""
    stdout = io.StringIO()
    argv = [str(VECTORS / name), "--json", "--key", str(VECTORS / "secret.txt")]
    status = main(argv, stdout, io.StringIO(), {})
    (report,) = json.loads(stdout.getvalue())["journals"]
    assert {"exit": status, "fault": report["fault"], "line": report["line"]} == EXPECTED[name]


def test_every_tampered_twin_is_there() -> None:
    """No kind of tampering lacks its vector."""
    assert set(EXPECTED) == {path.name for path in VECTORS.glob("*.jsonl")}
    assert {each["exit"] for each in EXPECTED.values()} == {0, 1, 3, 4}


def test_certificate_by_an_independent_implementation() -> None:
    """The golden certificate verifies with nothing of ours: an RFC 8785 package and HMAC."""
    line = (VECTORS / "certificate.json").read_bytes()
    fields = json.loads(line)
    covered = {key: value for key, value in fields.items() if key not in ("content_hash", "signature")}
    digest = "sha256-" + hashlib.sha256(rfc8785.dumps(covered)).hexdigest()
    assert digest == fields["content_hash"]
    assert fields["signature"] == "hmac-" + hmac.new(SECRET, digest.encode(), "sha256").hexdigest()
    assert verify_certificate(fields, SECRET)


def test_header_vector() -> None:
    """The header's escaped form verifies as text and parsed."""
    value = (VECTORS / "header.txt").read_text().removesuffix("\n")
    assert value.isascii()
    assert verify_certificate(value, SECRET)
    assert verify_certificate(json.loads(value), SECRET)
    assert json.loads(value)["reason"] == "naïve “quote” 😀"


def test_regenerating_gives_the_same_bytes(tmp_path: Path) -> None:
    """A change of the format cannot pass unnoticed: the vectors of old certificates must stay as they are."""
    subprocess.run([sys.executable, str(ROOT / "scripts" / "make-vectors"), str(tmp_path)], check=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in VECTORS.iterdir()}
