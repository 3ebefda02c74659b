"""The variable table of README.md and etc/eve-proxy.env.example, drawn from ``eve_proxy/settings/variables.py``; the
table of docs/metrics.md, drawn from ``eve_proxy/metrics/families.py``.

python scripts/tables.py            fails when one of them is out of date
python scripts/tables.py --write    brings them up to date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# This tree's table, whatever is installed.
sys.path.insert(0, str(ROOT))

from eve_proxy.metrics.families import FAMILIES, Family  # noqa: E402
from eve_proxy.settings.variables import VARIABLES, Variable  # noqa: E402

BEGIN = "<!-- variables: drawn by scripts/tables.py -->"
END = "<!-- /variables -->"
BEGIN_METRICS = "<!-- metrics: drawn by scripts/tables.py -->"
END_METRICS = "<!-- /metrics -->"

HEADINGS = {
    "guide 3": "The deployment guide's variables",
    "evidence": "Evidence",
    "governance API": "The decision service",
    "security": "Destinations, clients, bounds",
    "parent proxy": "Parent proxies",
    "plugins": "Plugins",
    "operation": "Operation",
}
TOP = """\
# Settings of eve-proxy, as EnvironmentFile= of systemd and --env-file of container tools read them.
# Drawn by scripts/tables.py. A line that begins with #EVE_ or #JWT_ shows the default; remove the # to change it.
# `eve-proxy config` prints what is in force, or everything that is wrong.
#
# systemd/eve-proxy.service wants EVE_PROXY_GOVERNANCE_URL here, also when it is `embedded`, and reads the signing
# secret from /etc/eve-proxy/jwt_secret_key (JWT_SECRET_KEY_FILE is set by the unit).
"""


def readme_table() -> str:
    """The rows in Markdown."""

    def row(variable: Variable) -> str:
        default = f"`{variable.default}`" if variable.default else '`""`' if variable.empty else "-"
        return f"| `{variable.name}` | {default} | {variable.kind.label} | {variable.help} |"

    lines = ["| Variable | Default | Value | Purpose |", "| --- | --- | --- | --- |", *map(row, VARIABLES)]
    return "\n".join(lines)


def readme(text: str) -> str:
    """``text`` with the table between its markers."""
    return _between(text, BEGIN, readme_table(), END)


def metrics_table() -> str:
    """The rows in Markdown."""

    def row(family: Family) -> str:
        labels = ", ".join(f"`{label}`" for label in family.labels) or "-"
        return f"| `{family.name}` | {family.kind} | {labels} | {family.help} |"

    lines = ["| Metric | Type | Labels | Meaning |", "| --- | --- | --- | --- |", *map(row, FAMILIES)]
    return "\n".join(lines)


def metrics(text: str) -> str:
    """``text`` with the table between its markers."""
    return _between(text, BEGIN_METRICS, metrics_table(), END_METRICS)


def _between(text: str, begin: str, table: str, end: str) -> str:
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{table}\n{end}{after}"


def example(text: str) -> str:
    """The example file; ``text`` does not matter."""
    del text

    def lines() -> Iterator[str]:
        heading = None
        for variable in VARIABLES:
            if HEADINGS[variable.source] != heading:
                heading = HEADINGS[variable.source]
                yield f"\n# {heading}\n"
            yield f"# {variable.help} [{variable.kind.label}]"
            yield f"#{variable.name}={variable.default}"

    return TOP + "\n".join(lines()) + "\n"


FILES = {
    ROOT / "README.md": readme,
    ROOT / "docs" / "metrics.md": metrics,
    ROOT / "etc" / "eve-proxy.env.example": example,
}


def main(argv: list[str]) -> int:
    """Compare or write."""
    stale = []
    for path, draw in FILES.items():
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        drawn = draw(text)
        if drawn == text:
            continue
        if "--write" in argv:
            path.write_text(drawn, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")
        else:
            stale.append(path.relative_to(ROOT))
    for name in stale:
        print(f"{name} is out of date: python scripts/tables.py --write", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
