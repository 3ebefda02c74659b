"""Credentials never reach the governor in the clear."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.governance.redaction import ALWAYS_HEADERS, DEFAULT_QUERY, Redactor
from eve_proxy.model.headers import Headers

KEY = b"k" * 32
REDACTOR = Redactor(KEY, headers=["X-Internal-Token"])


def mac(value: bytes) -> bytes:
    return b"hmac-" + hmac.new(KEY, value, hashlib.sha256).hexdigest().encode()


def test_defaults_are_those_of_the_contract() -> None:
    """A changed default would start to leak a credential that operators count on being hidden."""
    assert sorted(ALWAYS_HEADERS) == ["authorization", "cookie", "proxy-authorization", "x-api-key"]
    assert ",".join(sorted(DEFAULT_QUERY)) == "access_token,api_key,key,sig,signature,token,x-amz-signature"


@pytest.mark.parametrize("name", [*sorted(ALWAYS_HEADERS), "x-internal-token"])
def test_credential_headers_are_replaced_in_any_case(name: str) -> None:
    """No spelling of a credential header shows its value."""
    for spelled in (name, name.upper(), name.title()):
        fields = REDACTOR.fields(Headers.of([(b"Accept", b"*/*"), (spelled.encode(), b"s3cret")]))
        assert fields == [("accept", "*/*"), (name, mac(b"s3cret").decode())]


def test_configured_headers_come_on_top_of_the_fixed_ones() -> None:
    """Naming one header of one's own does not uncover Authorization."""
    redactor = Redactor(KEY, headers=["x-mine"], query=[])
    assert redactor.fields(Headers.of([(b"Authorization", b"a")])) == [("authorization", mac(b"a").decode())]


def test_every_field_of_a_name_is_replaced() -> None:
    """A second Cookie field is as secret as the first."""
    fields = REDACTOR.fields(Headers.of([(b"Cookie", b"a=1"), (b"Cookie", b"b=2"), (b"Cookie", b"")]))
    assert [value for _, value in fields] == [mac(value).decode() for value in (b"a=1", b"b=2", b"")]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/v1/x?key=abc", b"/v1/x?key=" + mac(b"abc")),
        (b"/v1/x?a=1&API_Key=abc&b=2", b"/v1/x?a=1&API_Key=" + mac(b"abc") + b"&b=2"),
        (b"/?api%5Fkey=abc", b"/?api%5Fkey=" + mac(b"abc")),
        (b"/?%61pi%5fKEY=abc", b"/?%61pi%5fKEY=" + mac(b"abc")),
        (b"/?a=1;token=abc;b=2", b"/?a=1;token=" + mac(b"abc") + b";b=2"),
        (b"/?token=abc;def&b=2", b"/?token=" + mac(b"abc;def") + b"&b=2"),
        (b"/?key=", b"/?key=" + mac(b"")),
        (b"/?key", b"/?key"),
        (b"/?key=a=b", b"/?key=" + mac(b"a=b")),
        (b"/?key=%61bc", b"/?key=" + mac(b"abc")),
        (b"/?+key=abc", b"/?+key=" + mac(b"abc")),
        (b"/?a?key=abc", b"/?a?key=abc"),
        (b"/?X-Amz-Signature=ff00&X-Amz-Date=1", b"/?X-Amz-Signature=" + mac(b"ff00") + b"&X-Amz-Date=1"),
        (b"/?key=1&key=2", b"/?key=" + mac(b"1") + b"&key=" + mac(b"2")),
        (b"/key=abc", b"/key=abc"),
        (b"/?monkey=abc&keys=1", b"/?monkey=abc&keys=1"),
        (b"/?&&;;==&x", b"/?&&;;==&x"),
        (b"*", b"*"),
        (b"", b""),
    ],
)
def test_credential_parameters_are_replaced(target: bytes, expected: bytes) -> None:
    """The governor sees which parameter was there, not what it held; the rest of the target is untouched."""
    assert REDACTOR.target(target) == expected


def test_equal_values_stay_comparable_within_one_process_only() -> None:
    """A governor can tell that two requests used one credential, and cannot carry that over to another process."""
    in_header = REDACTOR.fields(Headers.of([(b"x-api-key", b"abc")]))[0][1]
    assert REDACTOR.target(b"/?key=abc") == b"/?key=" + in_header.encode()
    assert Redactor(b"j" * 32).value(b"abc") != in_header.encode()


def test_a_short_key_is_refused() -> None:
    """A key that could be guessed would make the values guessable."""
    with pytest.raises(ValueError, match="16"):
        Redactor(b"short")


def test_the_key_is_in_no_repr() -> None:
    """A traceback with locals does not give the key away."""
    assert "kkk" not in repr(Redactor(KEY))


@given(
    secret=st.text("abcdefghijklmnopqrstuvwxyz", min_size=8, max_size=20).map(lambda text: "zq" + text),
    before=st.text("ab=&;?%", max_size=12),
    after=st.text("ab=&?%", max_size=12),
    name=st.sampled_from(sorted(DEFAULT_QUERY)),
)
def test_a_secret_value_never_shows(secret: str, before: str, after: str, name: str) -> None:
    """Wherever a credential parameter stands in a query, its value is gone and everything before it is kept."""
    target = f"/?{before}&{name}={secret}&{after}".encode()
    redacted = REDACTOR.target(target)
    assert secret.encode() not in redacted
    assert redacted == target.replace(secret.encode(), mac(secret.encode()))


@given(st.binary(max_size=60).filter(lambda target: b"%" not in target))
def test_a_target_without_credentials_is_unchanged(target: bytes) -> None:
    """The path that is judged is the path that is sent."""
    assert Redactor(KEY, query=["no-such-parameter-anywhere"]).target(target) == target


@pytest.mark.parametrize("target", [b"/a??key=s3cret", b"/a?b=1&??key=s3cret", b"/a?%3Fkey=s3cret"])
def test_a_second_question_mark_hides_no_name(target: bytes) -> None:
    """Some servers take what follows it for the query."""
    assert b"s3cret" not in Redactor(b"k" * 32).target(target)
