"""The governance token: sent as configured, shown nowhere."""

from __future__ import annotations

import pytest

from eve_proxy.governance.credential import AuthStyle, Credential


@pytest.mark.parametrize(
    ("style", "name", "value"),
    [
        ("bearer", b"authorization", b"Bearer t0ken"),
        ("x-api-key", b"x-api-key", b"t0ken"),
        ("x-eve-api-key", b"x-eve-api-key", b"t0ken"),
    ],
)
def test_each_style_has_its_header(style: str, name: bytes, value: bytes) -> None:
    """The service gets its credential in the header that EVE_PROXY_GOVERNANCE_AUTH names."""
    credential = Credential.of(AuthStyle(style), "t0ken")
    assert (credential.name, credential.value) == (name, value)


def test_the_value_is_in_no_repr() -> None:
    """A log line or traceback does not give the token away."""
    assert "t0ken" not in repr(Credential.of(AuthStyle.BEARER, "t0ken"))


@pytest.mark.parametrize("token", ["", "t0ken\r\nX-Evil: 1", "t0ken ", "t\x00", "tökén", "a\tb"])
def test_a_token_that_no_header_may_carry_is_refused_without_repeating_it(token: str) -> None:
    """A token file with a stray newline stops the start, and the message does not contain the token."""
    with pytest.raises(ValueError, match="visible ASCII") as caught:
        Credential.of(AuthStyle.BEARER, token)
    assert "t0ken" not in str(caught.value)
