"""The document's own commands, run as they are printed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eve_proxy.model.certificate import FIELDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "decision-certificate.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_field_table_is_the_codes() -> None:
    """The table lists every field, in the order of the line."""
    table = PAGE.split("## Fields")[1].split("**Coverage.**")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [name for row in rows for name in re.findall("`(.*?)`", row)] == list(FIELDS)


def test_by_hand_with_the_standard_library() -> None:
    """The Python lines verify the vector."""
    (script,) = [block for block in blocks("python") if "hashlib" in block]
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("verified\n", "")


needs_programs = pytest.mark.skipif(
    not (shutil.which("jq") and shutil.which("openssl")), reason="needs jq and openssl (Debian: apt-get install jq)"
)
SAID = ["verified\n", "true\nSignature Verified Successfully\n", "true\nVerified OK\n", "chained\n"]


def shell(script: str) -> str:
    return subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True).stdout


@needs_programs
def test_by_hand_with_jq_and_openssl() -> None:
    """The shell lines, as they are printed, verify a certificate of each algorithm, and the chain."""
    assert [shell(block) for block in blocks("sh")] == SAID


@needs_programs
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize(
    ("old", "new"),
    [('"verdict":"block"', '"verdict":"allow"'), ('"key_id":"', '"key_id":"A'), ('"algorithm":"', '"algorithm":"x')],
)
def test_by_hand_a_changed_certificate_does_not_verify(tmp_path: Path, number: int, old: str, new: str) -> None:
    """What the lines say of a certificate that was edited is not what they say of a good one."""
    script = blocks("sh")[number]
    (name,) = set(re.findall(r"tests/vectors/\w+/certificate\.json", script))
    changed = tmp_path / "certificate.json"
    text = (ROOT / name).read_text()
    assert old in text
    changed.write_text(text.replace(old, new))
    assert SAID[number].splitlines()[-1] not in shell(script.replace(name, str(changed)))


@needs_programs
@pytest.mark.parametrize("number", range(3))
def test_by_hand_a_changed_signature_does_not_verify(tmp_path: Path, number: int) -> None:
    """One digit of the signature is enough."""
    script = blocks("sh")[number]
    (name,) = set(re.findall(r"tests/vectors/\w+/certificate\.json", script))
    signature = json.loads((ROOT / name).read_text())["signature"]
    other = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    changed = tmp_path / "certificate.json"
    changed.write_text((ROOT / name).read_text().replace(signature, other))
    assert SAID[number].splitlines()[-1] not in shell(script.replace(name, str(changed)))


def test_command_says_what_the_page_shows() -> None:
    """The printed output is the command's output."""
    (console,) = blocks("console")
    shown = console.splitlines()
    for command, output in zip(shown[::2], shown[1::2], strict=True):
        words = command.removeprefix("$ eve-proxy ").split()
        run = subprocess.run(
            [sys.executable, "-c", "import sys; from eve_proxy.cli import main; sys.exit(main(sys.argv[1:]))", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert (run.stdout, run.stderr) == (output + "\n", "")
