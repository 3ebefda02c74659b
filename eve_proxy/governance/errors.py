"""Refusals of the governance service that the operator must hear about, apart from the client's short text."""

from __future__ import annotations

from eve_proxy.model.errors import GovernorMisbehaved


class CredentialRefused(GovernorMisbehaved):
    """401, 402 or 403: the token is wrong, expired or unpaid. Check EVE_PROXY_GOVERNANCE_TOKEN and …_AUTH."""


class NotWitnessed(GovernorMisbehaved):
    """The answer is not signed by the service that EVE_PROXY_GOVERNANCE_JWKS names: it may come from someone else."""


class RateLimited(GovernorMisbehaved):
    """429: the service asks for patience.

    :ivar retry_after: seconds from the answer on, or None when it did not say.
    """

    def __init__(self, detail: str, *, retry_after: float | None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
