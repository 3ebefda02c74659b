"""Runs a target under atheris, or tries files with it (without atheris).

python -m fuzz TARGET [--seconds N] [-- LIBFUZZER OPTION...]
python -m fuzz TARGET FILE...
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from fuzz.targets import TARGETS, Target, load

# Relative to where it is started: scripts/fuzz starts it in the project's folder.
WORK = Path(".fuzz")


def main(arguments: list[str]) -> None:
    """Do what the command line says. A finding ends the process with a traceback and a status other than 0."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz one target, or try files with it.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="try these and stop")
    parser.add_argument("--seconds", type=int, default=60, help="how long to run (default: 60)")
    # What stands after "--" is libFuzzer's; argparse would take it for files.
    mark = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:mark])
    if options.files:
        target = load(options.target)
        for file in options.files:
            target.examine(file.read_bytes())
        print(f"{options.target}: {len(options.files)} files, no finding")
        return
    fuzz(options.target, options.seconds, arguments[mark + 1 :])


def fuzz(name: str, seconds: int, options: list[str]) -> None:
    """Run ``name`` under atheris; does not return."""
    import atheris

    with atheris.instrument_imports(include=["eve_proxy", "fuzz", "h11"]):
        target = load(name)
    folder = WORK / name
    corpus, seeds, findings = folder / "corpus", folder / "seeds", folder / "findings"
    for place in (corpus, seeds, findings):
        place.mkdir(parents=True, exist_ok=True)
    write_seeds(target, seeds)
    dictionary = folder / "dictionary"
    dictionary.write_text("".join(f'"{escaped(word)}"\n' for word in target.DICTIONARY), encoding="ascii")
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            f"-max_len={target.LONGEST}",
            f"-artifact_prefix={findings}/",
            f"-dict={dictionary}",
            "-timeout=20",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
            *options,
            str(corpus),
            str(seeds),
        ],
        target.examine,
    )
    atheris.Fuzz()


def write_seeds(target: Target, folder: Path) -> None:
    """The seeds as files, which is how libFuzzer wants them."""
    for seed in target.seeds():
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


def escaped(word: bytes) -> str:
    """A word as it stands in a dictionary of libFuzzer."""
    return "".join(chr(byte) if 0x20 < byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main(sys.argv[1:])
