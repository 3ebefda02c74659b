"""The guide's import path."""

from __future__ import annotations

import json

from eve_proxy.fail_closed import verify_certificate
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import header_value, seal
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET


def test_the_guides_three_lines() -> None:
    """The guide's verification example works with only the module's name changed."""
    headers = {"X-EVE-Decision-Cert": header_value(seal(draft(reason="naïve"), link(), HmacSigner(SECRET))).decode()}
    cert = json.loads(headers["X-EVE-Decision-Cert"])
    assert verify_certificate(cert, SECRET), "certificate tampered or wrong key"
