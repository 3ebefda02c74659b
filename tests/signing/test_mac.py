"""The keyed hash is HMAC-SHA256 and nothing else."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eve_proxy.signing.mac import Mac


@pytest.mark.parametrize(
    ("key", "message", "digest"),
    [
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_published_vectors(key: bytes, message: bytes, digest: str) -> None:
    """RFC 4231, test cases 1, 2 and 6: any other implementation verifies what we sign."""
    assert Mac(key).hexdigest(message) == digest
    assert Mac(key).digest(message).hex() == digest


@given(st.binary(max_size=140), st.lists(st.binary(max_size=80), min_size=1, max_size=3))
@example(b"k" * 64, [b"x"])
@example(b"k" * 65, [b"x"])
@example(b"", [b""])
def test_it_is_the_standard_library_s(key: bytes, messages: list[bytes]) -> None:
    """For every key and message, and one message leaves no trace in the next."""
    mac = Mac(key)
    for message in messages:
        assert mac.hexdigest(message) == hmac.new(key, message, hashlib.sha256).hexdigest()


def test_the_key_is_in_no_repr() -> None:
    """A traceback with locals does not give the key away."""
    assert "kkk" not in repr(Mac(b"k" * 32))
