"""The decision service as it is configured: what it is asked and how its answer is read, whoever carries the question.

The daemon's governor (``hosted.py``) and that of library processes (``blocking.py``) differ in how they wait only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from eve_proxy.governance.codec import EVALUATE, decode, encode
from eve_proxy.governance.credential import Credential
from eve_proxy.governance.redaction import Redactor
from eve_proxy.governance.witness import NOBODY, Witnesses
from eve_proxy.interfaces import IClock
from eve_proxy.model.certificate import LogLink, RequestDigest
from eve_proxy.model.digest import request_digest
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Verdict
from eve_proxy.signing.seal import timestamp

CONCURRENCY: Final = 256
_JSON: Final = ((b"content-type", b"application/json"), (b"accept", b"application/json"))


class Question(NamedTuple):
    """What is sent, and what an answer to it must be about.

    :ivar body: the question's JSON.
    :ivar request_id: of the exchange.
    :ivar digest: of its request, which a witness signs.
    :ivar head: the journal's head that the question shows, or None.
    """

    body: bytes
    request_id: str
    digest: RequestDigest
    head: LogLink | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionService:
    """One service.

    :ivar name: the certificate's ``governor`` (``GovernanceAddress.name``).
    :ivar policy_set: EVE_PROXY_POLICY_SET.
    :ivar chain_head: the journal's durable head for ``context.log``, or None when it has none.
    :ivar witnesses: what is asked of the signature of an answer.
    :ivar credential: the header that says who we are, or None.
    :ivar path: base path and ``/v1/decisions/evaluate`` (``GovernanceAddress.path``).
    :ivar allow_modify: EVE_PROXY_ALLOW_MODIFY; without it MODIFIED is a block.
    """

    name: str
    policy_set: str
    redactor: Redactor
    clock: IClock
    chain_head: Callable[[], LogLink | None]
    witnesses: Witnesses = NOBODY
    credential: Credential | None = None
    path: str = EVALUATE
    allow_modify: bool = False

    def headers(self) -> Headers:
        """The fields of every question; to be made once."""
        credential = self.credential
        return Headers.of(_JSON if credential is None else (*_JSON, (credential.name, credential.value)))

    def question(self, exchange: Exchange) -> Question:
        """What to send."""
        digest, head = request_digest(exchange), self.chain_head()
        body = encode(
            exchange,
            digest=digest,
            timestamp=timestamp(self.clock.wall()),
            policy_set=self.policy_set,
            redactor=self.redactor,
            log=head,
        )
        return Question(body, exchange.id, digest, head)

    def verdict(self, question: Question, answer: tuple[int, Headers, bytes]) -> Verdict:
        """What it answered.

        :param answer: status, header fields, body.
        :raises GovernorMisbehaved: nothing that is a verdict on what was asked.
        """
        status, headers, body = answer
        return decode(
            status,
            headers,
            body,
            request_id=question.request_id,
            name=self.name,
            policy_set=self.policy_set,
            allow_modify=self.allow_modify,
            witness=partial(self.witnesses.accept, question.request_id, question.digest, question.head),
        )
