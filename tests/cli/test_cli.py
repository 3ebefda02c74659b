"""The ``eve-proxy`` command before any subcommand."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from eve_proxy import __version__
from eve_proxy.cli import COMMANDS, main


def run(*argv: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    return main(argv, stdout, stderr, {}), stdout.getvalue(), stderr.getvalue()


@pytest.mark.parametrize("argument", ["--help", "-h", "help"])
def test_help_lists_every_command(argument: str) -> None:
    """Somebody who asks for help sees what there is, on stdout."""
    status, out, err = run(argument)
    assert (status, err) == (0, "")
    assert all(f"  {name}" in out for name in COMMANDS)
    assert "twistd -n --pidfile= eve-sidecar" in out


def test_no_command_is_wrong_usage() -> None:
    """A script that forgot the command fails, with the help on stderr."""
    status, out, err = run()
    assert (status, out) == (2, "")
    assert "usage: eve-proxy" in err


@pytest.mark.parametrize(("typed", "hint"), [("verfy", "did you mean verify?"), ("zzz", "there are: check, config")])
def test_an_unknown_command_is_told_what_there_is(typed: str, hint: str) -> None:
    """A typo is answered with the nearest command."""
    status, out, err = run(typed)
    assert (status, out) == (2, "")
    assert hint in err


def test_version() -> None:
    """A bug report can name the version."""
    assert run("--version") == (0, f"eve-proxy {__version__}\n", "")


def test_verify_loads_neither_twisted_nor_zope() -> None:
    """An auditor's machine needs neither: the command must not import them on the way to verify."""
    program = (
        "import sys; from eve_proxy.cli import main; status = main(['verify', '--help']);"
        "sys.exit(any(name.split('.')[0] in ('twisted', 'zope') for name in sys.modules) or status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: eve-proxy verify" in done.stdout
