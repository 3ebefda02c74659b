"""``eve-proxy config``."""

from __future__ import annotations

import io
import json

from eve_proxy.cli.config import main
from eve_proxy.settings.variables import VARIABLES

SECRET = "a signing secret that is long enough to be one"


def run(environ: dict[str, str], *argv: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    return main(argv, stdout, stderr, environ), stdout.getvalue(), stderr.getvalue()


def test_the_table_shows_values_and_their_source() -> None:
    """An operator sees what is in force, where it comes from, and no secret."""
    status, out, err = run({"JWT_SECRET_KEY": SECRET, "EVE_PROXY_PORT": "8128"})
    lines = {line.split()[0]: line.split() for line in out.splitlines()}
    assert status == 0
    assert lines["EVE_PROXY_PORT"][1:3] == ["8128", "env"]
    assert lines["EVE_PROXY_ENFORCE_TIMEOUT"][1:3] == ["2", "default"]
    assert lines["JWT_SECRET_KEY"][1:3] == ["******", "env"]
    assert SECRET not in out + err
    assert all(row.name in lines for row in VARIABLES)
    assert "warning: EVE_PROXY_GOVERNANCE_URL=embedded" in err


def test_every_fault_and_exit_2() -> None:
    """A deployment script can stop on a wrong configuration, and a person sees all of it."""
    status, out, err = run({"EVE_PROXY_PORT": "x", "EVE_PROXY_TYPO": "1"})
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 4
    assert err.endswith("3 faults: the proxy would not start\n")


def test_json() -> None:
    """The same for machines: values, sources and warnings, or the faults."""
    status, out, _ = run({"JWT_SECRET_KEY": SECRET}, "--json")
    read = json.loads(out)
    assert status == 0
    assert read["variables"]["EVE_PROXY_PORT"]["value"] == "3128"
    assert read["variables"]["JWT_SECRET_KEY"]["value"] == "******"
    assert len(read["warnings"]) == 1
    status, out, _ = run({}, "--json")
    assert status == 2
    assert len(json.loads(out)["faults"]) == 1


def test_list_needs_no_configuration() -> None:
    """Every variable and its default can be looked up although nothing is set or something is wrong."""
    status, out, err = run({"EVE_PROXY_PORT": "x"}, "--list")
    assert (status, err) == (0, "")
    assert "EVE_PROXY_CONNECT_SNI" in out


def test_wrong_usage(capsys) -> None:
    """An unknown option is exit 2, as everywhere."""
    assert run({}, "--jsn")[0] == 2
    assert "--jsn" in capsys.readouterr().err
