"""The service's signature over its answer (evidence.md): taken along always, demanded when its keys are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from eve_proxy.governance.errors import NotWitnessed
from eve_proxy.model.certificate import LogLink, RequestDigest
from eve_proxy.model.verdict import Witness
from eve_proxy.signing.verification import Key
from eve_proxy.signing.witness import statement

_LONGEST_ID: Final = 64
_LONGEST_SIGNATURE: Final = 192


class Witnesses:
    """What is asked of an answer.

    :param keys: EVE_PROXY_GOVERNANCE_JWKS; without any, a signature is carried to the certificate unverified.
    """

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        self._keys = {key.key_id: key for key in keys}

    def accept(
        self, request_id: str, request: RequestDigest, head: LogLink | None, said: object, status: str
    ) -> Witness | None:
        """The signature in an answer, for the certificate.

        :param head: the one that the question showed, or None.
        :param said: the answer's ``witness``, whatever it is.
        :param status: the answer's ``decision.status``.
        :raises NotWitnessed: there is no signature, or not a good one, and one is demanded.
        """
        found = None if head is None else _witness(said, head)
        if not self._keys:
            return found
        if found is None or head is None:
            raise NotWitnessed("governance answer not witnessed: it bears no signature")
        key = self._keys.get(found.key_id)
        if key is None:
            raise NotWitnessed("governance answer not witnessed: signed with a key that is not trusted")
        if not key.verify(statement(request_id, request.to_dict(), status, head.to_dict()), found.signature):
            raise NotWitnessed("governance answer not witnessed: its signature is wrong")
        return found


# Takes signatures along and demands none.
NOBODY: Final = Witnesses()


def _witness(said: object, head: LogLink) -> Witness | None:
    if not isinstance(said, Mapping):
        return None
    key_id, signature = _short(said.get("key_id"), _LONGEST_ID), _short(said.get("signature"), _LONGEST_SIGNATURE)
    if key_id is None or signature is None:
        return None
    return Witness(seq=head.seq, prev=head.prev, key_id=key_id, signature=signature)


def _short(value: Any, most: int) -> str | None:
    """Text that may stand in a certificate as it is; what a service sends here is ASCII by its alphabet."""
    good = isinstance(value, str) and 0 < len(value) <= most and value.isascii() and value.isprintable()
    return value if good and not set(value) & set('"\\') else None
