"""The ``eve-proxy`` command. Subcommands are imported when they are used: ``verify`` must not load Twisted.

Each is a module with ``main(argv, stdout, stderr, environ) -> int``, whose result is the exit status.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Final, TextIO

from eve_proxy import __version__

COMMANDS: Final[dict[str, str]] = {
    "check": "say what would be decided about a URL, and by which rule",
    "config": "print the effective configuration, or everything that is wrong with it",
    "doctor": "try the ways around the proxy, and the ways in, from where an application runs",
    "export": "a journal's certificates as JWS, DSSE envelopes or OCSF events",
    "keygen": "make a private key that signs certificates, and its public half",
    "prove": "prove that a record is in a journal, or that a journal only grew; check such proofs",
    "ship": "copy journals to S3 with Object Lock or an append-only PostgreSQL table",
    "verify": "verify a journal: signatures, chain and end",
}
USAGE: Final = 2

_HELP: Final = (
    "usage: eve-proxy COMMAND [ARGUMENT...]\n\n"
    + "".join(f"  {name:<8} {text}\n" for name, text in COMMANDS.items())
    + "\n`eve-proxy COMMAND --help` explains one. The proxy itself: twistd -n --pidfile= eve-sidecar\n"
)


def main(
    argv: Sequence[str] | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run one subcommand.

    :param argv: without the program's name; the process's own by default, as are the streams and the environment.
    :returns: the exit status; 2 for wrong usage.
    """
    argv = sys.argv[1:] if argv is None else argv
    stdout = sys.stdout if stdout is None else stdout
    stderr = sys.stderr if stderr is None else stderr
    environ = os.environ if environ is None else environ
    if not argv or argv[0] in ("-h", "--help", "help"):
        (stdout if argv else stderr).write(_HELP)
        return 0 if argv else USAGE
    name, *rest = argv
    if name == "--version":
        stdout.write(f"eve-proxy {__version__}\n")
        return 0
    if name not in COMMANDS:
        close = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(COMMANDS)}"
        stderr.write(f"eve-proxy: unknown command {name!r}; {hint}\n")
        return USAGE
    try:
        status: int = import_module(f"eve_proxy.cli.{name}").main(rest, stdout, stderr, environ)
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status
