"""What a TLS client says first."""

from __future__ import annotations

import random
import ssl
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.wire.client_hello import MOST_RECORDS, ClientHello, ClientHelloReader, NotTls, Seen, protocol_name
from tests.fakes.client_hello import (
    ALPN,
    SERVER_NAME,
    VERSIONS,
    client_hello,
    extension,
    message,
    record,
    records,
    server_name,
    vector,
)

HELLOS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parents[1] / "corpus/hellos").glob("*.bin"))}
H2, BOTH = (b"h2",), (b"h2", b"http/1.1")
TLS12, TLS13, ALL = (0x0303,), (0x0304, 0x0303), (0x0304, 0x0303, 0x0302, 0x0301)
EXAMPLE = "api.example.com"
# What each client said when it was recorded: name, protocols, encrypted hello (GREASE here), versions.
SAID: dict[str, tuple[str | None, tuple[bytes, ...], bool, tuple[int, ...]]] = {
    "curl-impersonate-chrome131": ("localhost", BOTH, True, (0x7A7A, *TLS13)),
    "curl-impersonate-firefox135": ("localhost", BOTH, True, TLS13),
    "curl-impersonate-safari18": ("localhost", BOTH, False, (0x4A4A, *ALL)),
    "curl-openssl-3.0": (EXAMPLE, BOTH, False, ALL),
    "curl-openssl-3.0-address": (None, BOTH, False, ALL),
    "curl-openssl-3.0-tls12": (EXAMPLE, BOTH, False, TLS12),
    "git-gnutls": ("localhost", BOTH, False, ALL),
    "gnutls-wget": ("localhost", (), False, ALL),
    "node-20": (EXAMPLE, BOTH, False, TLS13),
    "openssl-4.0-post-quantum": (EXAMPLE, BOTH, False, TLS13),
    "openssl-s_client-noservername": (None, (), False, ALL),
    "openssl-s_client-tls12": (EXAMPLE, (), False, TLS12),
    "python-ssl": (EXAMPLE, (), False, TLS13),
    "python-ssl-address": (None, (), False, TLS13),
    "python-ssl-tls12": (EXAMPLE, (), False, TLS12),
}


def read(*pieces: bytes) -> Seen | None:
    reader = ClientHelloReader()
    for piece in pieces:
        reader.feed(piece)
    assert reader.held == b"".join(pieces)
    return reader.seen


def reason(*pieces: bytes) -> str:
    seen = read(*pieces)
    assert isinstance(seen, NotTls), seen
    return seen.reason


def test_every_recorded_hello_is_expected_to_say_something() -> None:
    """A file that is added without its line here is not tested."""
    assert set(SAID) == set(HELLOS)


@pytest.mark.parametrize("name", SAID)
def test_real_clients(name: str) -> None:
    """The hellos of real clients, browsers with GREASE and post-quantum key shares among them, are understood."""
    sni, alpn, ech, versions = SAID[name]
    assert read(HELLOS[name]) == ClientHello(sni=sni, alpn=alpn, ech=ech, versions=versions)


@pytest.mark.parametrize("host", ["a.example", "x" * 63 + "." + "y" * 63 + ".example"])
def test_the_running_python(host: str) -> None:
    """Whatever OpenSSL this Python has, its hello is understood."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    seen = read(outgoing.read())
    assert isinstance(seen, ClientHello)
    assert seen.sni == host


@pytest.mark.parametrize("name", HELLOS)
def test_byte_by_byte(name: str) -> None:
    """Nothing is said before the last byte, and then what was said for the whole."""
    reader = ClientHelloReader()
    for byte in HELLOS[name][:-1]:
        assert reader.feed(bytes((byte,))) is None
    assert reader.feed(HELLOS[name][-1:]) == read(HELLOS[name])
    assert reader.held == HELLOS[name]


@pytest.mark.parametrize("size", [40, 100, 1000, 16384])
def test_fragmented_over_records(size: int) -> None:
    """A hello may be cut into records; the record layer is not what is compared."""
    assert read(records(message(key_share=1600), size)) == read(client_hello())


def test_a_large_hello() -> None:
    """Key shares of many kilobytes over several records are no reason to refuse."""
    seen = read(records(message(key_share=60_000), 16384))
    assert isinstance(seen, ClientHello)
    assert seen.sni == EXAMPLE


def test_early_data_belongs_to_the_tunnel() -> None:
    """0-RTT data behind the hello is kept, and changes nothing."""
    early = record(b"\x01", kind=20) + record(b"encrypted", kind=23)
    assert read(client_hello() + early) == read(client_hello(), early) == read(client_hello())


def test_names_are_compared_without_case() -> None:
    """A client that writes its host in capitals names the same host."""
    seen = read(client_hello("API.Example.COM"))
    assert isinstance(seen, ClientHello)
    assert seen.sni == EXAMPLE


def test_a_hello_without_extensions() -> None:
    """TLS before extensions: no name."""
    assert read(client_hello(extensions=b"")) == ClientHello(sni=None, alpn=(), ech=False, versions=(0x0303,))


@pytest.mark.parametrize("kind", [0xFE0D, 0xFFCE])
def test_an_encrypted_hello_is_said(kind: int) -> None:
    """Encrypted Client Hello, and the encrypted name of its drafts, cannot pass unnoticed."""
    seen = read(client_hello(more=extension(kind, b"anything")))
    assert isinstance(seen, ClientHello)
    assert (seen.sni, seen.ech) == (EXAMPLE, True)


NOT_TLS = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "SSL 2": b"\x80\x2e\x01\x03\x01",
    "an alert": record(b"\x02\x28", kind=21),
    "application data": record(b"x", kind=23),
    "a NUL": b"\0",
}


@pytest.mark.parametrize("name", NOT_TLS)
def test_not_tls_from_the_first_byte(name: str) -> None:
    """What cannot be TLS is known at once, however little has come."""
    assert reason(NOT_TLS[name][:1]) == reason(NOT_TLS[name])
    assert reason(client_hello()[:1], NOT_TLS[name]) != reason(NOT_TLS[name])


FAULTS: dict[str, tuple[bytes, str]] = {
    "another TLS major version": (record(message(), version=b"\x04\x01"), "unknown protocol version"),
    "an empty record": (record(b"") + client_hello(), "empty or too long"),
    "a record over 16 KiB": (record(b"\x01" + b"x" * 16384), "empty or too long"),
    "an empty record inside": (record(message()[:9]) + record(b""), "empty or too long"),
    "an alert inside": (record(message()[:9]) + record(b"\x01\x00", kind=21), "broken off"),
    "another handshake message": (record(b"\x02" + vector(3, b"x" * 40)), "does not begin with a ClientHello"),
    "a second message in the record": (record(message() + message()), "bytes after the ClientHello"),
    "one byte too many in the record": (record(message() + b"\0"), "bytes after the ClientHello"),
    "a length over 64 KiB": (record(b"\x01\x01\x00\x00" + b"x" * 40), "too long"),
    "an empty hello": (record(b"\x01\0\0\0"), "too short"),
    "a version that is not 3.x": (client_hello(version=b"\x02\x00"), "unknown version"),
    "a session id over 32 bytes": (client_hello(session=b"x" * 33), "does not add up"),
    "no cipher suites": (client_hello(suites=b""), "does not add up"),
    "half a cipher suite": (client_hello(suites=b"\x13\x01\x13"), "half a cipher suite"),
    "no compression methods": (client_hello(compression=b""), "does not add up"),
    "only compression": (client_hello(compression=b"\x01"), "null compression"),
    "bytes after the extensions": (client_hello(after=b"\0"), "bytes after the extensions"),
    "half an extension": (client_hello(more=b"\0\x0a\0"), "half an extension"),
    "an extension over the edge": (client_hello(more=b"\0\x0a\0\x05abc"), "longer than its block"),
    "two server names extensions": (client_hello(more=server_name(b"evil.example")), "occurs twice"),
    "two of an unknown extension": (client_hello(more=extension(4711, b"") * 2), "occurs twice"),
    "two names": (client_hello(extensions=server_name(b"api.example.com", b"evil.example")), "more than one"),
    "a name of another type": (client_hello(extensions=server_name(b"api.example.com", kind=1)), "unknown type"),
    "an empty list of names": (client_hello(extensions=extension(SERVER_NAME, vector(2, b""))), "does not add up"),
    "an empty SNI extension": (client_hello(extensions=extension(SERVER_NAME, b"")), "does not add up"),
    "an empty name": (client_hello(""), "does not add up"),
    "bytes after the names": (
        client_hello(extensions=extension(SERVER_NAME, vector(2, b"\0" + vector(2, b"a.example")) + b"x")),
        "bytes after the list of server names",
    ),
    "a trailing dot": (client_hello("api.example.com."), "one spelling"),
    "percent-coding": (client_hello("api%2eexample.com"), "one spelling"),
    "an IPv4 literal": (client_hello("127.0.0.1"), "an address"),
    "another spelling of an IPv4 literal": (client_hello("0x7f.1"), "an address"),
    "an IPv6 literal": (client_hello("::1"), "not a host name"),
    "an IPv6 literal in brackets": (client_hello("[::1]"), "an address"),
    "a NUL in a name": (client_hello("api.example.com\0.evil.example"), "not a host name"),
    "a port in a name": (client_hello("api.example.com:443"), "not a host name"),
    "a blank in a name": (client_hello("api.example.com "), "not a host name"),
    "an IDN that is not ASCII": (client_hello("bücher.example"), "not a host name"),
    "a name over 253 bytes": (client_hello("a." * 127 + "example"), "not a host name"),
    "bytes after the protocols": (
        client_hello(extensions=extension(ALPN, vector(2, vector(1, b"h2")) + b"x")),
        "bytes after the list of application protocols",
    ),
    "an empty protocol": (client_hello(alpn=(b"h2", b"")), "does not add up"),
    "no versions": (client_hello(extensions=extension(VERSIONS, vector(1, b""))), "does not add up"),
    "half a version": (client_hello(extensions=extension(VERSIONS, vector(1, b"\x03\x04\x03"))), "does not add up"),
    "bytes after the versions": (
        client_hello(extensions=extension(VERSIONS, vector(1, b"\x03\x04") + b"x")),
        "versions that does not add up",
    ),
    "too many records": (records(message(), 2), "too many records"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name: str) -> None:
    """Whatever an origin might read in another way than we do is refused, whole or byte by byte."""
    data, part = FAULTS[name]
    assert part in reason(data)
    assert reason(*[bytes((byte,)) for byte in data]) == reason(data)


def test_the_bound_on_records_is_the_documented_one() -> None:
    """Cut into as many records as are allowed it is accepted, into one more it is not."""
    whole = message()
    for count in (MOST_RECORDS, MOST_RECORDS + 1):
        crumbs = records(whole[: count - 1], 1) + record(whole[count - 1 :])
        assert isinstance(read(crumbs), ClientHello) is (count == MOST_RECORDS)


def test_the_result_stays() -> None:
    """What comes afterwards does not change what was seen, and is kept."""
    reader = ClientHelloReader()
    seen = reader.feed(client_hello())
    assert reader.feed(client_hello("evil.example")) is seen
    assert reader.held == client_hello() + client_hello("evil.example")


def test_reasons_hold_nothing_of_the_content() -> None:
    """A reason goes into certificates: it is one of a few texts of ours."""
    assert "secret" not in reason(b"secret")
    assert "secret" not in reason(client_hello("secret.example."))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"SSH-2.0-x\r\n", "SSH"),
        (b"GET /x HTTP/1.1\r\n", "HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP"),
        (b"\x16\x03\x01", "TLS"),
        (b"\x15\x03\x01", "unknown"),
        (b"EHLO me\r\n", "unknown"),
        (b"x\r\nGET / HTTP/1.1\r\n", "unknown"),
        (b"", "unknown"),
    ],
)
def test_names_of_protocols(data: bytes, name: str) -> None:
    """The refusal says what it was, when that is plain."""
    assert protocol_name(data) == name


SOUND = st.sampled_from([*HELLOS.values(), records(message(key_share=1600), 100), client_hello(ech=True)])
BROKEN = st.sampled_from([data for data, _ in FAULTS.values() if len(data) < 4000] + list(NOT_TLS.values()))


@given(data=SOUND | BROKEN, cuts=st.lists(st.integers(0, 4000), max_size=8))
def test_cut_anywhere(data: bytes, cuts: list[int]) -> None:
    """How the bytes arrive makes no difference."""
    edges = [0, *sorted({min(cut, len(data)) for cut in cuts}), len(data)]
    assert read(*[data[start:end] for start, end in pairwise(edges)]) == read(data)


@given(data=SOUND, seed=st.integers(0, 2**32), count=st.integers(1, 8))
def test_mutations(data: bytes, seed: int, count: int) -> None:
    """Damaged hellos give a result or none, never an exception, and the same in one piece and in two."""
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(count):
        place = chance.randrange(len(damaged))
        change: Any = chance.choice(("set", "drop", "insert"))
        if change == "set":
            damaged[place] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        elif change == "drop" and len(damaged) > 1:
            del damaged[place]
        else:
            damaged.insert(place, chance.randrange(256))
    whole = read(bytes(damaged))
    assert whole is None or isinstance(whole, ClientHello | NotTls)
    cut = chance.randrange(len(damaged))
    assert read(bytes(damaged[:cut]), bytes(damaged[cut:])) == whole


@given(st.binary(max_size=300).map(lambda tail: b"\x16\x03\x01" + tail) | st.binary(max_size=50))
def test_anything(data: bytes) -> None:
    """No input makes it raise."""
    read(data)
