"""``python -m eve_proxy``: the sidecar in the foreground, as ``twistd -n --pidfile= eve-sidecar`` runs it."""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run


def main() -> None:
    """Hand over to twistd. What follows ``python -m eve_proxy`` is passed on to eve-sidecar."""
    sys.argv[:] = ["twistd", "-n", "--pidfile=", "eve-sidecar", *sys.argv[1:]]
    run()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
