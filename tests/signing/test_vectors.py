"""The published vectors: stable bytes, and the answers that the document promises."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from eve_proxy.cli.verify import main
from eve_proxy.fail_closed import verify_certificate

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
MANIFEST: dict[str, Any] = json.loads((VECTORS / "manifest.json").read_text())
OPTIONS = {"secret": "--key", "pem": "--key", "jwks": "--jwks"}
ALGORITHMS = ["hmac", "ed25519", "p256"]
# What evidence.md and the issue name, as the vectors' files are called.
TWINS = {
    "edited", "respaced", "duplicate-keys", "dropped", "swapped", "duplicated", "truncated", "spliced", "wrong-key",
    "resigned", "document-hmac",
}  # fmt: skip


def name_of(case: dict[str, Any]) -> str:
    return str(case["file"])


def content(key: dict[str, str]) -> bytes:
    text = (VECTORS / key["file"]).read_bytes()
    return text.removesuffix(b"\n") if key["as"] == "secret" else text


@pytest.mark.parametrize("case", MANIFEST["journals"], ids=name_of)
def test_journal_is_answered_as_promised(case: dict[str, Any]) -> None:
    """Another implementation can be checked against these files: exit, fault and line."""
    stdout = io.StringIO()
    argv = [str(VECTORS / case["file"]), "--json"]
    for key in case["keys"]:
        argv += [OPTIONS[key["as"]], str(VECTORS / key["file"])]
    if case["require_external"]:
        argv.append("--require-external")
    status = main(argv, stdout, io.StringIO(), {})
    report = json.loads(stdout.getvalue())["journals"][0] if stdout.getvalue() else {"fault": None, "line": None}
    assert (status, report["fault"], report["line"]) == (case["exit"], case["fault"], case["line"])


@pytest.mark.parametrize("case", MANIFEST["certificates"], ids=name_of)
def test_certificate_is_answered_as_promised(case: dict[str, Any]) -> None:
    """A certificate's text verifies or does not, as the manifest says."""
    text = (VECTORS / case["file"]).read_bytes().removesuffix(b"\n")
    assert verify_certificate(text, [content(key) for key in case["keys"]]) is case["verifies"]


def test_every_file_is_in_the_manifest() -> None:
    """Whoever runs the manifest has run everything."""
    named = {case["file"] for case in [*MANIFEST["journals"], *MANIFEST["certificates"]]}
    there = {path.relative_to(VECTORS).as_posix() for path in VECTORS.rglob("*.*") if path.parent != VECTORS}
    assert there - named == {f"keys/{name}" for name in ("hmac.txt", "ed25519.pem", "p256.pem", "jwks.json")} | {
        "keys/private.pem"
    }
    assert named <= there


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_kind_of_tampering_has_its_twin(algorithm: str) -> None:
    """No algorithm lacks a twin, and every exit occurs."""
    mine = [case for case in MANIFEST["journals"] if case["file"].startswith(algorithm + "/")]
    assert {Path(case["file"]).stem for case in mine} >= TWINS
    assert {case["exit"] for case in mine} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_certificate_by_an_independent_implementation(algorithm: str) -> None:
    """The golden certificate verifies with nothing of ours: an RFC 8785 package and a library of cryptography."""
    fields = json.loads((VECTORS / algorithm / "certificate.json").read_bytes())
    covered = {key: value for key, value in fields.items() if key not in ("content_hash", "signature")}
    digest = "sha256-" + hashlib.sha256(rfc8785.dumps(covered)).hexdigest()
    assert digest == fields["content_hash"]
    tag, _, signature = fields["signature"].rpartition("-")
    if algorithm == "hmac":
        secret = (VECTORS / "keys" / "hmac.txt").read_bytes().removesuffix(b"\n")
        assert (tag, signature) == ("hmac", hmac.new(secret, digest.encode(), "sha256").hexdigest())
        return
    key = load_pem_public_key((VECTORS / "keys" / f"{algorithm}.pem").read_bytes())
    if isinstance(key, Ed25519PublicKey):
        assert tag == "ed25519"
        key.verify(bytes.fromhex(signature), digest.encode())
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert tag == "ecdsa-p256"
        key.verify(bytes.fromhex(signature), digest.encode(), ec.ECDSA(SHA256()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_parsed_header_verifies_too(algorithm: str) -> None:
    """A client that calls ``json.loads`` on the header can verify what it got."""
    value = (VECTORS / algorithm / "header.txt").read_text().removesuffix("\n")
    (key,) = {case["file"]: case["keys"] for case in MANIFEST["certificates"]}[f"{algorithm}/header.txt"]
    assert value.isascii()
    assert verify_certificate(json.loads(value), content(key))
    assert json.loads(value)["reason"] == "naïve “quote” 😀"


def deterministic() -> bool:
    """Whether this OpenSSL makes the nonces of RFC 6979; without them ECDSA signs differently each time."""
    try:
        ec.ECDSA(SHA256(), deterministic_signing=True)
    except Exception:
        return False
    return True


def test_regenerating_gives_the_same_bytes(tmp_path: Path) -> None:
    """A change of the format cannot pass unnoticed: the vectors of old certificates must stay as they are."""
    subprocess.run([sys.executable, str(ROOT / "scripts" / "make-vectors"), str(tmp_path)], check=True)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*")}
    kept = {path.relative_to(VECTORS): path.read_bytes() for path in VECTORS.rglob("*.*")}
    assert made.keys() == kept.keys()
    random = () if deterministic() else ("p256",)
    assert [name for name in kept if made[name] != kept[name] and name.parts[0] not in random] == []
