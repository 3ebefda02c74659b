"""Fuzz the ClientHello reader: no input makes it raise, and how the bytes are cut makes no difference.

python fuzz/client_hello.py [LIBFUZZER OPTION...] [FOLDER...]    needs atheris; seeds: tests/corpus/hellos
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

with atheris.instrument_imports(include=["eve_proxy"]):
    from eve_proxy.model.authority import parse_host
    from eve_proxy.wire.client_hello import ClientHello, ClientHelloReader, NotTls, Seen


def read(*pieces: bytes) -> Seen | None:
    """What a reader makes of the pieces; all of them are held."""
    reader = ClientHelloReader()
    for piece in pieces:
        reader.feed(piece)
    assert reader.held == b"".join(pieces)
    return reader.seen


def test_one_input(data: bytes) -> None:
    """Read ``data`` whole, in two pieces and byte by byte."""
    whole = read(data)
    assert whole is None or isinstance(whole, ClientHello | NotTls)
    if isinstance(whole, ClientHello) and whole.sni is not None:
        # What was accepted is canonical: it can be compared with a judged authority as it stands.
        assert parse_host(whole.sni) == (whole.sni, None)
    cut = int.from_bytes(data[:2], "big") % (len(data) + 1)
    assert read(data[:cut], data[cut:]) == whole
    if len(data) < 4096:
        assert read(*[data[place : place + 1] for place in range(len(data))]) == whole
    assert whole is None or read(data, b"more") == whole


def main() -> None:
    """Run until stopped, or as the options say."""
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
