"""``eve-proxy export`` as it is typed."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest

from eve_proxy.cli.export import main
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_files import find_journals
from eve_proxy.signing.private_key import Ed25519Signer
from tests.fakes.journal import Bench
from tests.fakes.keys import ed25519, private_pem
from tests.fakes.ports import SECRET

ENVIRONMENT = {"JWT_SECRET_KEY": SECRET.decode()}


def run(*argv: str, environ: dict[str, str] = ENVIRONMENT, stdin: bytes = b"") -> tuple[int, bytes, str]:
    output, stdout, stderr = io.BytesIO(), io.StringIO(), io.StringIO()
    status = main(argv, stdout, stderr, environ, io.BytesIO(stdin), output)
    return status, output.getvalue() or stdout.getvalue().encode(), stderr.getvalue()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    bench = Bench(tmp_path / "events.jsonl", rotate_bytes=2000)
    for _ in range(4):
        bench.record()
    bench.journal.close()
    return bench.path


def payload(token: bytes) -> bytes:
    part = token.split(b".")[1]
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def written(folder: Path) -> set[bytes]:
    return {line for path in find_journals(folder) for line in path.read_bytes().splitlines()}


@pytest.mark.parametrize("form", ["jws", "dsse", "ocsf"])
def test_a_directory_in_the_order_of_the_chain(journal: Path, form: str) -> None:
    """One line of output for each certificate of all files, in order."""
    status, out, err = run("--format", form, str(journal.parent))
    assert (status, err) == (0, "")
    lines = out.splitlines()
    if form == "jws":
        inside = [payload(line) for line in lines]
    elif form == "dsse":
        inside = [base64.b64decode(json.loads(line)["payload"]) for line in lines]
    else:
        inside = [json.loads(line)["raw_data"].encode() for line in lines]
    assert [json.loads(line)["log"]["seq"] for line in inside] == list(range(6))
    assert set(inside) <= written(journal.parent)


def test_detached_lines_belong_to_the_journal_s(journal: Path) -> None:
    """Without payload, one for each line; only JWS has them."""
    status, out, _ = run("--format", "jws", "--detached", "-", stdin=journal.read_bytes())
    assert status == 0
    assert len(out.splitlines()) == len(journal.read_bytes().splitlines())
    assert all(b".." in line for line in out.splitlines())
    assert run("--format", "dsse", "--detached", str(journal))[0] == 2


def test_what_does_not_verify_is_not_signed_again(journal: Path) -> None:
    """A changed certificate ends the export; those before it are out, and the line is named."""
    content = b"".join(sorted(written(journal.parent), key=lambda line: json.loads(line)["log"]["seq"]))
    lines = content.replace(b"}}{", b"}}\n{").splitlines(keepends=True)
    lines[-1] += b"\n"
    lines[2] = lines[2].replace(b"allow", b"block", 1)
    status, out, err = run("--format", "jws", "-", stdin=b"".join(lines))
    assert status == 1
    assert len(out.splitlines()) == 2
    assert "standard input: line 3: edited" in err


def test_a_torn_line_is_not_exported(journal: Path) -> None:
    """Half a certificate is none."""
    status, _, err = run("--format", "ocsf", "-", stdin=journal.read_bytes()[:-1])
    assert (status, "truncated" in err) == (1, True)


def test_a_key_that_is_not_trusted(journal: Path) -> None:
    """Another secret vouches for nothing."""
    status, out, err = run(
        "--format", "jws", str(journal), environ={"JWT_SECRET_KEY": "another secret, 32 bytes long..."}
    )
    assert (status, out) == (4, b"")
    assert "untrusted-key" in err


def test_signed_with_another_key_than_the_journal(journal: Path, tmp_path: Path) -> None:
    """An exporter with a key of its own names the journal's keys to verify with."""
    pem, secret = tmp_path / "key.pem", tmp_path / "secret"
    pem.write_bytes(private_pem(ed25519()))
    secret.write_bytes(SECRET)
    options = ("--format", "jws", "--signing-key", str(pem), str(journal))
    assert run(*options, environ={})[0] == 4
    status, out, _ = run(*options, "--key", str(secret), environ={})
    assert status == 0
    header = json.loads(base64.urlsafe_b64decode(out.split(b".")[0] + b"=="))
    assert (header["alg"], header["kid"]) == ("EdDSA", Ed25519Signer(ed25519()).key_id)
    status, out, _ = run(*options[:2], str(journal), environ={"EVE_PROXY_SIGNING_KEY_FILE": str(pem)})
    assert status == 4
    status, out, _ = run("--format", "jws", "--signing-key", str(secret), str(journal), environ={})
    assert status == 0
    assert json.loads(base64.urlsafe_b64decode(out.split(b".")[0] + b"=="))["kid"] == HmacSigner(SECRET).key_id
    assert run("--format", "jws", str(journal), environ={"JWT_SECRET_KEY_FILE": str(secret)})[0] == 0


def test_usage(journal: Path, tmp_path: Path) -> None:
    """What is missing is named, and no secret is shown."""
    assert run(str(journal))[0] == 2
    status, _, err = run("--format", "jws", str(journal), environ={})
    assert (status, "--signing-key" in err) == (2, True)
    status, _, err = run("--format", "ocsf", str(journal), environ={})
    assert (status, "no key to verify with" in err) == (2, True)
    (tmp_path / "bad.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----\n")
    status, _, err = run("--format", "jws", "--signing-key", str(tmp_path / "bad.pem"), str(journal))
    assert (status, "hidden" in err) == (2, False)
    assert run("--format", "jws", str(tmp_path / "missing.jsonl"))[0] == 2
    (tmp_path / "empty").mkdir()
    assert run("--format", "jws", str(tmp_path / "empty"))[0] == 2
    assert run("--help")[0] == 0
