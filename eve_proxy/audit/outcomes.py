"""Sealing outcomes: what ``signing.seal`` does for any record, done faster for the one that every request has.

From one outcome to the next only ids, digests, times and details differ, and each of them is made here or by us in its
final spelling. So both texts, the canonical one and the line, are templates, cut from what ``seal`` would write.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Final

import orjson

from eve_proxy.interfaces import IClock, IEntropy, ISigner
from eve_proxy.model.certificate import Draft, unsigned_fields
from eve_proxy.model.errors import SigningFailed
from eve_proxy.signing.canonical import HASH_TAG, canonical_bytes
from eve_proxy.signing.seal import seal, signed, timestamp

# What stands for a value while a template is cut: in quotes, and without. No text in a certificate has either.
_TEXT: Final = "\0"
_JSON: Final = "\1"


class Outcomes:
    """Of one journal.

    :param shape: any outcome in the journal's name.
    :param log_id: the journal's id.
    """

    __slots__ = ("_clock", "_entropy", "_key_id", "_shape", "_templates")

    def __init__(self, shape: Draft, log_id: str, *, clock: IClock, entropy: IEntropy) -> None:
        self._shape = (shape, log_id)
        self._clock = clock
        self._entropy = entropy
        self._key_id = ""
        self._templates = ("", "")

    def seal(self, parent: str, details: dict[str, Any], seq: int, prev: str, signer: ISigner) -> tuple[bytes, str]:
        """The line of an outcome, and its content hash.

        :param parent: id of the certificate whose request this became of.
        :param details: the ``record``, as it stands in a line: keys sorted, numbers canonical.
        :param seq: its number in the journal; ``prev``: hash of the record before.
        :raises SigningFailed: the signer raised, or made no text; or as ``seal``, for what all outcomes share.
        """
        if signer.key_id != self._key_id:
            self._templates = _templates(*self._shape, signer)
            self._key_id = signer.key_id
        covered, line = self._templates
        identity, now = "cert_" + self._entropy.hex(8), timestamp(self._clock.wall())
        record = orjson.dumps(details).decode()
        canonical = covered % (identity, prev, seq, parent, record, now)
        digest = HASH_TAG + hashlib.sha256(canonical.encode()).hexdigest()
        signature = signed(digest, signer)
        if type(signature) is not str:
            raise SigningFailed("the signer made no text")
        return (line % (identity, now, digest, signature, parent, record, seq, prev)).encode(), digest


def _templates(shape: Draft, log_id: str, signer: ISigner) -> tuple[str, str]:
    """The canonical text and the line, with ``%s`` where ``Outcomes.seal`` has a value, in the order of each."""
    seal(shape, None, signer)  # refuses what could not be sealed
    draft = replace(shape, certificate_id=_TEXT, timestamp=_TEXT, parent=_TEXT)
    fields = unsigned_fields(draft, signer.algorithm, signer.key_id, None)
    fields["record"] = _JSON
    fields["log"] = {"id": log_id, "seq": _JSON, "prev": _TEXT}
    fields["content_hash"] = fields["signature"] = _TEXT
    return _template(canonical_bytes(fields)), _template(orjson.dumps(fields))


def _template(text: bytes) -> str:
    return text.decode().replace("%", "%%").replace(r'"\u0000"', '"%s"').replace(r'"\u0001"', "%s")
