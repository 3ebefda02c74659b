"""The first records of a session, whoever writes the journal: the daemon or a process that uses the library.

Blocks, on purpose: nothing is decided yet. No Twisted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from eve_proxy import __version__
from eve_proxy.audit.file import JournalFile
from eve_proxy.audit.records import Records
from eve_proxy.audit.recovery import Place
from eve_proxy.interfaces import IEntropy, ISigner
from eve_proxy.model.certificate import GENESIS, DecisionCertificate, Draft, LogLink
from eve_proxy.signing.seal import seal


def first_place(entropy: IEntropy) -> Place:
    """Where a journal without any record stands: a new id, number 0."""
    return Place(offset=0, last=b"", next=LogLink(id="log_" + entropy.hex(8), seq=0, prev=GENESIS))


def session_open(
    records: Records,
    *,
    sync: str,
    config: str | None = None,
    previous_key_id: str | None = None,
    damaged: dict[str, Any] | None = None,
) -> Draft:
    """The record that every session begins with.

    :param sync: EVE_PROXY_AUDIT_SYNC.
    :param config: digest of all settings (``settings.fingerprint``).
    :param previous_key_id: of the record before, when it is another one than ours.
    :param damaged: what to say about a damaged file that had to make room.
    """
    details = {
        "version": __version__,
        "pid": os.getpid(),
        "sync": sync,
        "config": config,
        "previous_key_id": previous_key_id,
        **(damaged or {}),
    }
    return records.draft("session_open", "the journal was opened", details)


def write_first(file: JournalFile, place: Place, drafts: Sequence[Draft], signer: ISigner) -> Place:
    """Append ``drafts`` at ``place``; they are durable when this returns.

    :raises OSError: they are not.
    :raises SigningFailed: nothing was written.
    """
    lines: list[bytes] = []
    link = place.next
    for draft in drafts:
        certificate = seal(draft, link, signer)
        lines.append(certificate.line)
        link = link_after(certificate)
    data = b"\n".join(lines) + b"\n"
    # Durable even with sync off: what this session is built on must not be lost with it.
    file.append(data, True)
    return Place(offset=place.offset + len(data), last=lines[-1], next=link)


def link_after(certificate: DecisionCertificate) -> LogLink:
    """The link of the record that follows ``certificate``, which has a place in the journal."""
    link = certificate.log
    assert link is not None
    return LogLink(id=link.id, seq=link.seq + 1, prev=certificate.content_hash)
