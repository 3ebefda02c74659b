"""The fuzz targets without atheris: seeds and kept findings find nothing, and a fault in the code is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.__main__ import escaped, main, write_seeds
from fuzz.choices import Choices
from fuzz.corpora import FINDINGS
from fuzz.targets import TARGETS, load

KEPT = sorted(path for path in FINDINGS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target: str) -> None:
    """The corpora that a run begins with hold no finding."""
    module = load(target)
    seeds = list(module.seeds())
    assert len(seeds) >= 15
    for seed in seeds:
        module.examine(seed)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_kept_findings(path: Path) -> None:
    """What a run once found stays repaired."""
    load(path.parent.name).examine(path.read_bytes())


def test_every_kept_finding_belongs_to_a_target() -> None:
    """A finding in a folder that no target reads would protect nothing."""
    assert KEPT
    assert {path.parent.name for path in KEPT} <= set(TARGETS)


def test_files_are_tried_without_atheris(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A finding is reproduced with the command that the README names, on every Python."""
    write_seeds(load("authority"), tmp_path)
    found = sorted(map(str, tmp_path.iterdir()))
    assert len(found) > 15
    main(["authority", *found])
    assert capsys.readouterr().out == f"authority: {len(found)} files, no finding\n"


def test_dictionaries_are_what_libfuzzer_reads() -> None:
    """Quotes, backslashes and bytes that are not printable are escaped."""
    assert escaped(b'a "\\\n\xff') == "a\\x20\\x22\\x5c\\x0a\\xff"
    for target in TARGETS:
        words = load(target).DICTIONARY
        assert len(words) >= 10
        assert all(isinstance(word, bytes) and word for word in words)


def test_choices_run_out_quietly() -> None:
    """However short an input is, it is a whole series of choices."""
    choices = Choices(b"\x03\x02ab")
    assert (choices.below(3), choices.text()) == (0, "ab")
    assert not choices
    assert (choices.below(9), choices.flag(), choices.of("xy"), choices.rest(), choices.text()) == (
        0,
        False,
        "x",
        b"",
        "",
    )
