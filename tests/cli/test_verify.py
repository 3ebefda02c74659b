"""``eve-proxy verify`` as an auditor types it."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest

from eve_proxy.cli.verify import main
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.private_key import AsymmetricSigner, Ed25519Signer, P256Signer
from tests.fakes.journal import Bench
from tests.fakes.keys import ed25519, p256, private_pem
from tests.fakes.ports import SECRET
from tests.signing.test_secret import PEM

ENVIRONMENT = {"JWT_SECRET_KEY": SECRET.decode()}


def run(*argv: str, environ: dict[str, str] = ENVIRONMENT, stdin: bytes = b"") -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    status = main(argv, stdout, stderr, environ, io.BytesIO(stdin))
    return status, stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    bench = Bench(tmp_path / "events.jsonl")
    bench.record()
    bench.journal.close()
    return bench.path


def test_whole_journal(journal: Path) -> None:
    """One sentence says that all is well, and against whom."""
    status, out, err = run(str(journal))
    assert (status, err) == (0, "")
    assert (
        out == f"{journal}: 3 records verify; the chain is whole; the end is proven against accident (session_close)\n"
    )


def test_standard_input(journal: Path) -> None:
    """A journal may come through a pipe."""
    status, out, _ = run("-", stdin=journal.read_bytes())
    assert status == 0
    assert out.startswith("standard input: 3 records verify")


def test_tampered_journal_names_line_and_fault(journal: Path) -> None:
    """The first wrong line is named, with what happened to it."""
    journal.write_bytes(journal.read_bytes().replace(b"allow", b"block", 1))
    status, out, _ = run(str(journal))
    assert status == 1
    assert out.startswith(f"{journal}: TAMPERED: line 2: edited: a value was changed")


def test_truncated_and_untrusted(journal: Path) -> None:
    """A missing end and a wrong key have answers of their own."""
    lines = journal.read_bytes().splitlines(keepends=True)
    assert run("-", stdin=b"".join(lines[:2]))[0] == 3
    assert run(str(journal), environ={"JWT_SECRET_KEY": "wrong"})[0] == 4
    assert run(str(journal), "--require-external")[0] == 3


def test_key_files(journal: Path, tmp_path: Path) -> None:
    """Keys come from files, several if need be, and then the environment is not asked."""
    (tmp_path / "old").write_bytes(b"the secret before\n")
    (tmp_path / "new").write_bytes(SECRET + b"\n")
    keys = ("--key", str(tmp_path / "old"), "--key", str(tmp_path / "new"))
    assert run(str(journal), *keys, environ={})[0] == 0
    assert run(str(journal), *keys[:2])[0] == 4
    assert run(str(journal), environ={"JWT_SECRET_KEY_FILE": str(tmp_path / "new")})[0] == 0


def test_secret_is_never_an_argument(journal: Path) -> None:
    """A secret typed as an argument is taken as a file name, so that none gets into the shell's history usefully."""
    status, out, err = run(str(journal), "--key", SECRET.decode(), environ={})
    assert (status, out) == (2, "")
    assert "No such file" in err


def test_no_key(journal: Path) -> None:
    """Without a key the command says where it looks for one."""
    status, _, err = run(str(journal), environ={})
    assert status == 2
    assert "--key FILE" in err
    assert "JWT_SECRET_KEY" in err


@pytest.mark.parametrize("signer", [Ed25519Signer(ed25519()), P256Signer(p256())], ids=["ed25519", "p256"])
def test_public_keys(tmp_path: Path, signer: AsymmetricSigner) -> None:
    """A journal with public signatures is verified with a PEM or the published JWKS; no secret is asked for."""
    bench = Bench(tmp_path / "events.jsonl", signer=signer)
    bench.record()
    bench.journal.close()
    (tmp_path / "key.pem").write_bytes(signer.pem())
    (tmp_path / "jwks.json").write_bytes(jwks([Ed25519Signer(ed25519(7)), signer]))
    (tmp_path / "other.json").write_bytes(jwks([P256Signer(p256(7))]))
    path = str(bench.path)
    assert run(path, "--key", str(tmp_path / "key.pem"), environ={})[0] == 0
    assert run(path, "--jwks", str(tmp_path / "jwks.json"), environ={})[0] == 0
    assert run(path, "--jwks", str(tmp_path / "other.json"), "--jwks", str(tmp_path / "jwks.json"))[0] == 0
    assert run(path, "--jwks", str(tmp_path / "other.json"), environ={})[0] == 4
    assert run(path)[0] == 4


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--jwks", b"not a key\n", "neither PEM nor JSON"),
        ("--jwks", b'{"keys":[]}', "no Ed25519 or P-256 public key"),
        ("--key", b'{"keys":[]}', "no Ed25519 or P-256 public key"),
        ("--key", PEM.replace(b"MCow", b"AAAA"), "cannot be read"),
        ("--key", private_pem(ed25519()), "a private key"),
        ("--key", b"\n", "empty"),
    ],
)
def test_unusable_key_file(journal: Path, tmp_path: Path, option: str, content: bytes, message: str) -> None:
    """A file without a usable key is named, with what is wrong; a document is never taken as a shared secret."""
    (tmp_path / "key").write_bytes(content)
    status, out, err = run(str(journal), option, str(tmp_path / "key"))
    assert (status, out) == (2, "")
    assert f"{tmp_path / 'key'}: " in err
    assert message in err


@pytest.mark.parametrize("argv", [(), ("a", "b"), ("--nonsense", "x"), ("/no/such/file",)])
def test_usage(argv: tuple[str, ...]) -> None:
    """Mistakes of the command line answer 2 on standard error."""
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert err


def test_help_explains_the_exits() -> None:
    """``--help`` lists what the exit statuses mean."""
    status, out, _ = run("--help")
    assert status == 0
    assert "4  the signing key is not among the trusted keys" in out


def test_json(journal: Path) -> None:
    """Machines get one object with every journal's report."""
    status, out, _ = run(str(journal), "--json")
    answer = json.loads(out)
    assert status == answer["exit"] == 0
    (report,) = answer["journals"]
    assert report["journal"] == str(journal)
    assert report["proven_against"] == "accident"
    assert report["kinds"] == {"session_open": 1, "decision": 1, "session_close": 1}
    assert report["head"]["seq"] == 3


def test_directory_answers_with_the_worst(tmp_path: Path) -> None:
    """A directory is as good as its worst journal; a damaged file is shown with the journal that vouches for it."""
    bench = Bench(tmp_path / "events.jsonl")
    bench.record()
    bench.journal._lock.release()
    damaged = bench.path.read_bytes() + b"garbage\n"
    bench.path.write_bytes(damaged)
    bench.open().close()
    status, out, _ = run(str(tmp_path))
    assert status == 1
    first, second, note = out.splitlines()
    assert first.startswith(f"{bench.path}: 2 records verify")
    assert second.startswith(f"{bench.path}.damaged-")
    assert "TAMPERED: line 3" in second
    assert note.startswith(f"{bench.path}: succeeds {bench.path}.damaged-")
    for aside in tmp_path.glob("*.damaged-*"):
        aside.unlink()
    status, out, _ = run(str(tmp_path))
    assert status == 0
    assert f"a damaged file that is not here (sha256 {hashlib.sha256(damaged).hexdigest()})" in out


def test_directory_without_journals(tmp_path: Path) -> None:
    """An empty directory is a mistake, not a clean bill."""
    status, _, err = run(str(tmp_path))
    assert status == 2
    assert "no journal" in err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_bar_on_a_terminal_only(journal: Path) -> None:
    """A person sees a bar, which is gone at the end; a log file sees nothing."""
    terminal = Terminal()
    assert main([str(journal)], io.StringIO(), terminal, ENVIRONMENT) == 0
    assert "100 %" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize("beside", [False, True])
def test_large_journal_on_several_cores(journal: Path, monkeypatch: pytest.MonkeyPatch, beside: bool) -> None:
    """How many processes examine a journal changes neither the answer nor the bar, with a checkpoint or without."""
    alone = run(str(journal), "--json", "--jobs", "1")
    if not beside:
        journal.with_name(journal.name + ".checkpoint").unlink(missing_ok=True)
    monkeypatch.setattr("eve_proxy.cli.verify._LARGE", 0)
    terminal = Terminal()
    stdout = io.StringIO()
    assert main([str(journal), "--json", "--jobs", "2"], stdout, terminal, ENVIRONMENT) == 0
    assert stdout.getvalue() == alone[1]
    assert "100 %" in terminal.getvalue()
    journal.write_bytes(journal.read_bytes().replace(b"allow", b"block", 1))
    assert run(str(journal), "--jobs", "2")[:2] == run(str(journal), "--jobs", "1")[:2]
