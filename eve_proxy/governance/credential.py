"""The secret with which we ask the governor, kept out of every text (governance-api.md, "Connection")."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class AuthStyle(Enum):
    """The values of EVE_PROXY_GOVERNANCE_AUTH: public sources disagree on the header."""

    BEARER = "bearer"
    X_API_KEY = "x-api-key"
    X_EVE_API_KEY = "x-eve-api-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One header field. Its value is in no repr.

    :ivar name: the field's name.
    :ivar value: the field's value, scheme included.
    """

    name: bytes
    value: bytes = field(repr=False)

    @classmethod
    def of(cls, style: AuthStyle, token: str) -> Credential:
        """The header for EVE_PROXY_GOVERNANCE_TOKEN.

        :raises ValueError: the token is empty or has characters that no header value may carry; it is not repeated.
        """
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("the governance token must be visible ASCII without spaces, and not empty")
        if style is AuthStyle.BEARER:
            return cls(name=b"authorization", value=b"Bearer " + token.encode("ascii"))
        return cls(name=style.value.encode("ascii"), value=token.encode("ascii"))
