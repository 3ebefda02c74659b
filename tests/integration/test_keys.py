"""Public-key signatures on the real daemon: made, published, rotated while it runs, verified by others."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.origin import Origin, raw
from tests.integration.client import UNPROVEN, WHOLE, ask, pause, post, ready
from tests.integration.sidecar import ROOT, Sidecar, until
from tests.integration.test_durability import Load, keeping

closing = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
UNTRUSTED = 4


def command(*argv: str) -> tuple[int, str, str]:
    """``eve-proxy`` in a process of its own."""
    program = "import sys; from eve_proxy.cli import main; sys.exit(main())"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("EVE_", "JWT_"))}
    run = subprocess.run(
        [sys.executable, "-c", program, *argv],
        env={**environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout, run.stderr


def keygen(path: Path, algorithm: str = "ed25519") -> None:
    status, out, err = command("keygen", str(path), "--algorithm", algorithm)
    assert status == 0, err
    path.with_suffix(".json").write_text(out)


def published(sidecar: Sidecar) -> list[dict[str, Any]]:
    answer = ask(sidecar, b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.status == 200
    keys: list[dict[str, Any]] = json.loads(answer.body)["keys"]
    return keys


def signing(tmp_path: Path, **settings: Any) -> Sidecar:
    return Sidecar(tmp_path, JWT_SECRET_KEY=None, EVE_PROXY_SIGNING_KEY_FILE=str(tmp_path / "key.pem"), **settings)


def hang_up(sidecar: Sidecar, said: str) -> None:
    """SIGHUP, and wait for what it says."""
    seen = sidecar.output.count(said)
    sidecar.process.send_signal(signal.SIGHUP)
    until(lambda: sidecar.output.count(said) > seen)


@pytest.mark.parametrize("algorithm", ["ed25519", "p256"])
def test_an_auditor_needs_no_secret(tmp_path: Path, algorithm: str) -> None:
    """From keygen to a verified journal, with what the proxy publishes."""
    keygen(tmp_path / "key.pem", algorithm)
    with Origin(closing) as origin, signing(tmp_path) as sidecar:
        answer = post(sidecar, origin)
        assert answer.status == 200
        keys = published(sidecar)
        assert answer.certificate is not None
        assert [key["kid"] for key in keys] == [answer.certificate["key_id"]]
        (tmp_path / "jwks.json").write_text(json.dumps({"keys": keys}))
        assert sidecar.stop() == 0
    status, out, _ = command("verify", str(sidecar.journal), "--jwks", str(tmp_path / "jwks.json"))
    assert status == WHOLE, out
    keygen(tmp_path / "other.pem", algorithm)
    assert command("verify", str(sidecar.journal), "--jwks", str(tmp_path / "other.json"))[0] == UNTRUSTED
    assert json.loads((tmp_path / "key.json").read_text())["keys"] == keys


def test_a_key_changes_while_it_runs(tmp_path: Path) -> None:
    """The file is replaced as Kubernetes does it and SIGHUP is sent; both keys together verify the journal."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        keygen(tmp_path / name / "key.pem", {"one": "ed25519", "two": "p256"}[name])
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "key.pem").symlink_to("..data/key.pem")
    with Origin(closing) as origin, signing(tmp_path) as sidecar:
        before = post(sidecar, origin)
        (tmp_path / "..new").symlink_to("two")
        os.rename(tmp_path / "..new", tmp_path / "..data")
        hang_up(sidecar, "signs from now on")
        after = post(sidecar, origin)
        assert before.certificate is not None
        assert after.certificate is not None
        assert (before.certificate["algorithm"], after.certificate["algorithm"]) == ("Ed25519", "ECDSA-P256-SHA256")
        assert {key["kid"] for key in published(sidecar)} == {
            before.certificate["key_id"],
            after.certificate["key_id"],
        }
        assert sidecar.stop() == 0
    kinds = [record["kind"] for record in sidecar.records()]
    assert [kind for kind in kinds if kind not in ("decision", "outcome")] == [
        "session_open",
        "key_rotation",
        "config_change",
        "session_close",
    ]
    one, two = str(tmp_path / "one" / "key.json"), str(tmp_path / "two" / "key.json")
    status, out, _ = command("verify", str(sidecar.journal), "--jwks", one, "--jwks", two)
    assert status == WHOLE, out
    status, out, _ = command("verify", str(sidecar.journal), "--jwks", one)
    assert status == UNTRUSTED
    assert after.certificate["key_id"] in out


def test_a_bad_key_file_changes_nothing(tmp_path: Path) -> None:
    """A file that is half written, or unreadable, is an error in the log and no more; the proxy stays ready."""
    keygen(tmp_path / "key.pem")
    good = (tmp_path / "key.pem").read_bytes()
    with Origin(closing) as origin, signing(tmp_path) as sidecar:
        (tmp_path / "key.pem").write_bytes(good[:60])
        hang_up(sidecar, "goes on signing")
        assert "no private key in PEM" in sidecar.output
        assert ready(sidecar).status == 200
        answer = post(sidecar, origin)
        assert answer.status == 200
        (tmp_path / "key.pem").write_bytes(good)
        hang_up(sidecar, "is the same as before")
        assert good.splitlines()[1].decode() not in sidecar.output
        assert sidecar.stop() == 0
    assert {record["key_id"] for record in sidecar.records()} == {sidecar.records()[0]["key_id"]}
    assert command("verify", str(sidecar.journal), "--jwks", str(tmp_path / "key.json"))[0] == WHOLE


def test_from_a_secret_to_a_private_key(tmp_path: Path) -> None:
    """A deployment that moves on keeps its journal: the next session says so, and both together verify it."""
    with Origin(closing) as origin:
        with Sidecar(tmp_path) as sidecar:
            assert post(sidecar, origin).status == 200
            assert sidecar.stop() == 0
        keygen(tmp_path / "key.pem")
        with signing(tmp_path) as sidecar:
            assert post(sidecar, origin).status == 200
            assert sidecar.stop() == 0
    opened = [record for record in sidecar.records() if record["kind"] == "session_open"]
    assert opened[1]["record"]["previous_key_id"] == opened[0]["key_id"]
    (changed,) = [record for record in sidecar.records() if record["kind"] == "config_change"]
    names = [change["name"] for change in changed["record"]["changed"]]
    assert names == ["EVE_PROXY_SIGNING_KEY_FILE", "JWT_SECRET_KEY"]
    (tmp_path / "secret").write_text("a secret of the integration tests, 32+\n")
    keys = ("--key", str(tmp_path / "secret"), "--jwks", str(tmp_path / "key.json"))
    assert command("verify", str(sidecar.journal), *keys)[0] == WHOLE


@pytest.mark.skipif(not (shutil.which("openssl") and shutil.which("jq")), reason="needs openssl and jq")
@pytest.mark.parametrize("algorithm", ["ed25519", "p256"])
def test_with_openssl_and_jq_alone(tmp_path: Path, algorithm: str) -> None:
    """Somebody without any program of ours verifies each line of a real journal, as the document says."""
    keygen(tmp_path / "key.pem", algorithm)
    with Origin(closing) as origin, signing(tmp_path) as sidecar:
        assert post(sidecar, origin).status == 200
        assert post(sidecar, "10.0.0.1").status == 451
        assert sidecar.stop() == 0
    subprocess.run(["openssl", "pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"], cwd=tmp_path, check=True)
    page = (ROOT / "docs" / "decision-certificate.md").read_text()
    (script,) = [each for each in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if f"/{algorithm}.pem" in each]
    script = script.replace(f"tests/vectors/{algorithm}/certificate.json", "line.json")
    script = script.replace(f"tests/vectors/keys/{algorithm}.pem", "public.pem")
    good = {"ed25519": "true\nSignature Verified Successfully\n", "p256": "true\nVerified OK\n"}[algorithm]
    for number, line in enumerate(sidecar.journal.read_bytes().splitlines()):
        (tmp_path / "line.json").write_bytes(line)
        run = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
        assert (run.stdout, run.stderr) == (good, ""), number
    changed = sidecar.journal.read_bytes().splitlines()[1].replace(b'"integration"', b'"somebody"')
    (tmp_path / "line.json").write_bytes(changed)
    run = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert "erified" not in run.stdout


def test_no_end_is_proven_while_it_runs(tmp_path: Path) -> None:
    """A running daemon's journal is a valid prefix."""
    keygen(tmp_path / "key.pem")
    with Origin(closing) as origin, signing(tmp_path) as sidecar:
        assert post(sidecar, origin).status == 200
        assert command("verify", str(sidecar.journal), "--jwks", str(tmp_path / "key.json"))[0] == UNPROVEN


KILLS = 10


class Rotator:
    """Changes the key file between two keys and sends SIGHUP, until the proxy is gone."""

    def __init__(self, sidecar: Sidecar, file: Path, keys: list[Path]) -> None:
        self._thread = threading.Thread(target=self._run, args=(sidecar, file, keys), daemon=True)
        self._thread.start()

    def _run(self, sidecar: Sidecar, file: Path, keys: list[Path]) -> None:
        for key in itertools.cycle(keys):
            fresh = file.with_name("fresh.pem")
            shutil.copy(key, fresh)
            os.rename(fresh, file)
            pause(0.02)
            if sidecar.process.poll() is not None:
                return
            sidecar.process.send_signal(signal.SIGHUP)

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_killed_with_every_kind_of_record(tmp_path: Path) -> None:
    """kill -9 while keys change, outcomes and heartbeats are written: what a client got has its line, all verifies."""
    chance = random.Random()
    keygen(tmp_path / "one.pem")
    keygen(tmp_path / "two.pem", "p256")
    keys = [tmp_path / "one.pem", tmp_path / "two.pem"]
    shutil.copy(keys[0], tmp_path / "key.pem")
    trusted = ("--jwks", str(tmp_path / "one.json"), "--jwks", str(tmp_path / "two.json"))
    busy = (sys.executable, str(ROOT / "tests" / "integration" / "busy_daemon.py"))
    settings = {"EVE_PROXY_BLOCKED_HOSTS": "blocked.example"}
    given: list[bytes] = []
    with Origin(keeping) as origin:
        for _ in range(KILLS):
            sidecar = signing(tmp_path, prefix=busy, **settings)
            load, rotator = Load(sidecar, origin), Rotator(sidecar, tmp_path / "key.pem", keys)
            pause(chance.uniform(0.05, 0.4))
            sidecar.kill()
            load.join()
            rotator.join()
            given += load.certificates
            assert "Traceback" not in sidecar.output
        with signing(tmp_path, prefix=busy, **settings) as last:
            assert last.stop() == 0
    status, out, err = command("verify", str(last.journal), *trusted)
    assert status == WHOLE, out + err
    records = last.records()
    by_id = {record["certificate_id"]: record for record in records}
    assert len(given) > 3 * KILLS, "the load was none"
    for text in given:
        certificate = json.loads(text)
        assert by_id[certificate["certificate_id"]] == certificate
    kinds = {record["kind"] for record in records}
    assert kinds >= {
        "session_open",
        "session_close",
        "decision",
        "outcome",
        "heartbeat",
        "key_rotation",
        "config_change",
    }
    assert {record["log"]["id"] for record in records} == {records[0]["log"]["id"]}, "a journal was given up"
    for record in records:
        if record["kind"] == "outcome":
            assert by_id[record["parent"]]["verdict"] == "allow"
            assert by_id[record["parent"]]["log"]["seq"] < record["log"]["seq"]
