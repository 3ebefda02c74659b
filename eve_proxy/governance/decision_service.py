"""The decision service as it is configured: what it is asked and how its answer is read, whoever carries the question.

The daemon's governor (``hosted.py``) and that of library processes (``blocking.py``) differ in how they wait only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eve_proxy.governance.codec import EVALUATE, decode, encode
from eve_proxy.governance.credential import Credential
from eve_proxy.governance.redaction import Redactor
from eve_proxy.interfaces import IClock
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Verdict
from eve_proxy.signing.seal import timestamp

CONCURRENCY: Final = 256
_JSON: Final = ((b"content-type", b"application/json"), (b"accept", b"application/json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionService:
    """One service.

    :ivar name: the certificate's ``governor`` (``GovernanceAddress.name``).
    :ivar policy_set: EVE_PROXY_POLICY_SET.
    :ivar chain_head: the journal's present head for ``context.log``, or None when it has none.
    :ivar credential: the header that says who we are, or None.
    :ivar path: base path and ``/v1/decisions/evaluate`` (``GovernanceAddress.path``).
    :ivar allow_modify: EVE_PROXY_ALLOW_MODIFY; without it MODIFIED is a block.
    """

    name: str
    policy_set: str
    redactor: Redactor
    clock: IClock
    chain_head: Callable[[], LogLink | None]
    credential: Credential | None = None
    path: str = EVALUATE
    allow_modify: bool = False

    def headers(self) -> Headers:
        """The fields of every question; to be made once."""
        credential = self.credential
        return Headers.of(_JSON if credential is None else (*_JSON, (credential.name, credential.value)))

    def question(self, exchange: Exchange) -> bytes:
        """What is sent."""
        return encode(
            exchange,
            timestamp=timestamp(self.clock.wall()),
            policy_set=self.policy_set,
            redactor=self.redactor,
            log=self.chain_head(),
        )

    def verdict(self, exchange: Exchange, answer: tuple[int, Headers, bytes]) -> Verdict:
        """What it answered.

        :param answer: status, header fields, body.
        :raises GovernorMisbehaved: nothing that is a verdict on this exchange.
        """
        status, headers, body = answer
        return decode(
            status,
            headers,
            body,
            request_id=exchange.id,
            name=self.name,
            policy_set=self.policy_set,
            allow_modify=self.allow_modify,
        )
