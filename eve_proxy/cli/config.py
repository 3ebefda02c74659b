"""``eve-proxy config``: what the daemon would run with, or every fault that stops it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TextIO

from eve_proxy.composition import configure
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.model.text import clean
from eve_proxy.settings.reading import Entry
from eve_proxy.settings.variables import VARIABLES

FAULTY: Final = 2
_WIDEST: Final = 48


def main(argv: Sequence[str], stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> int:
    """Print the table. Exit status 0, or 2 with every fault on stderr."""
    parser = argparse.ArgumentParser(
        prog="eve-proxy config", description="Print every variable: value, where it comes from, purpose."
    )
    parser.add_argument("--json", action="store_true", help="for machines, faults and warnings included")
    parser.add_argument("--list", action="store_true", help="every variable with its default, whatever is set")
    try:
        options = parser.parse_args(argv)
    except SystemExit as left:
        return int(left.code or 0)
    if options.list:
        entries = [Entry(name=row.name, text=row.default, source="default", help=row.help) for row in VARIABLES]
        return _print(entries, (), options.json, stdout, stderr)
    try:
        # As the daemon does it: the pre-filters are made and the TLS files are read, too.
        config, _ = configure(environ)
    except ConfigurationError as error:
        if options.json:
            json.dump({"faults": error.faults}, stdout, indent=2)
            stdout.write("\n")
        for fault in error.faults:
            stderr.write(f"{fault}\n")
        count = len(error.faults)
        stderr.write(f"{count} fault{'s' if count > 1 else ''}: the proxy would not start\n")
        return FAULTY
    return _print(config.entries, config.warnings, options.json, stdout, stderr)


def _print(entries: Iterable[Entry], warnings: Sequence[str], as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    if as_json:
        variables = {row.name: {"value": row.text, "source": row.source, "help": row.help} for row in entries}
        json.dump({"variables": variables, "warnings": warnings}, stdout, indent=2)
        stdout.write("\n")
        return 0
    rows = [("VARIABLE", "VALUE", "FROM", "PURPOSE")]
    rows += [(row.name, clean(row.text, 400), row.source, row.help) for row in entries]
    name_width = max(len(row[0]) for row in rows)
    value_width = min(_WIDEST, max(len(row[1]) for row in rows))
    for name, value, source, text in rows:
        stdout.write(f"{name:<{name_width}}  {value:<{value_width}}  {source:<7}  {text}\n")
    for warning in warnings:
        stderr.write(f"warning: {warning}\n")
    return 0
