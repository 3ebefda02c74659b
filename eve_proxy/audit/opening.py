"""Opening a journal: lock it, see what the last session left, continue its chain, and say so. Never silent.

Blocks, on purpose: nothing listens yet.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from eve_proxy.audit.beginning import first_place, session_open, write_first
from eve_proxy.audit.committer import Offload
from eve_proxy.audit.file import JournalFile, Opener, make_directories, open_file
from eve_proxy.audit.journal import Journal
from eve_proxy.audit.lock import take_lock
from eve_proxy.audit.records import Records
from eve_proxy.audit.recovery import Cut, Place, Tail, TailDamaged, measure, read_tail
from eve_proxy.audit.tree import Tree
from eve_proxy.interfaces import IClock, IEntropy, ISigner
from eve_proxy.model.certificate import Draft
from eve_proxy.model.errors import JournalUnavailable
from eve_proxy.model.exchange import EGRESS_CALLER
from eve_proxy.signing.seal import timestamp

_log = Logger()


def open_journal(
    path: Path,
    *,
    signer: ISigner,
    org_id: str,
    clock: IClock,
    entropy: IEntropy,
    offload: Offload,
    reactor_clock: IReactorTime,
    sync: Literal["batch", "off"] = "batch",
    timeout: float = 5.0,
    caller: str = EGRESS_CALLER,
    config: str | None = None,
    opener: Opener = open_file,
) -> Journal:
    """Open or make the journal at ``path``; its ``session_open`` is durable when this returns.

    :param offload: runs blocking calls one after the other elsewhere (``audit.committer.Committer``).
    :param sync: EVE_PROXY_AUDIT_SYNC; ``off`` leaves durability to the operating system.
    :param timeout: EVE_PROXY_AUDIT_TIMEOUT, seconds.
    :param config: digest of all settings, for ``session_open``.
    :raises JournalLocked: another process writes it; the message names that process.
    :raises JournalUnavailable: it cannot be made, read or written.
    :raises SigningFailed: the signer does not work.
    """
    records = Records(org_id=org_id, caller=caller, clock=clock, entropy=entropy)
    tree = Tree()
    opener = tree.opener(opener)
    try:
        make_directories(path.parent)
        lock = take_lock(path)
    except OSError as error:
        raise JournalUnavailable(f"the journal {path} cannot be opened: {error.strerror}") from error
    try:
        file, tail, damaged = _examine(path, signer, clock, opener)
        try:
            tree.take_up(file, tail.place, signer)
            if tree.frontier is None:
                _log.warn("{path} has no beginning and no checkpoint record: it gets no checkpoints", path=str(path))
            place = _begin(file, tail, damaged, records, entropy, signer, sync, config)
            return Journal(
                path=path,
                file=file,
                opener=opener,
                lock=lock,
                place=place,
                tree=tree,
                signer=signer,
                records=records,
                clock=clock,
                timers=reactor_clock,
                offload=offload,
                durable=sync == "batch",
                timeout=timeout,
            )
        except BaseException:
            file.close()
            raise
    except OSError as error:
        lock.release()
        raise JournalUnavailable(f"the journal {path} cannot be used: {error.strerror}") from error
    except BaseException:
        lock.release()
        raise


def _examine(
    path: Path, signer: ISigner, clock: IClock, opener: Opener
) -> tuple[JournalFile, Tail, dict[str, Any] | None]:
    """The file, what its tail says, and, when a damaged one had to make room, what ``session_open`` says of that."""
    file = opener(path)
    try:
        return file, read_tail(file, signer), None
    except TailDamaged as error:
        sha256 = measure(file, 0, file.size()).sha256
        file.close()
        aside = _aside(path, clock)
        os.rename(path, aside)  # durable with the new file's name, by the sync of their directory in ``open_file``
        _log.error(
            "the journal {path} is damaged ({error}); it was moved to {aside} and a new one begins",
            path=str(path),
            error=str(error),
            aside=str(aside),
        )
        fresh = opener(path)
        damage = {"damaged_file": aside.name[-200:], "damaged_sha256": sha256}
        return fresh, Tail(place=None, key_id=None, torn=None), damage
    except BaseException:
        file.close()
        raise


def _aside(path: Path, clock: IClock) -> Path:
    stamp = timestamp(clock.wall()).translate({ord(mark): None for mark in "-:."})
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while aside.exists():  # two in one millisecond, or a clock set back: never overwrite evidence
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    return aside


def _begin(
    file: JournalFile,
    tail: Tail,
    damaged: dict[str, Any] | None,
    records: Records,
    entropy: IEntropy,
    signer: ISigner,
    sync: str,
    config: str | None,
) -> Place:
    """Cut off what is torn, and write ``session_open`` (and ``recovered``) durably."""
    place = tail.place or first_place(entropy)
    changed = tail.key_id if tail.key_id != signer.key_id else None
    drafts = [session_open(records, sync=sync, config=config, previous_key_id=changed, damaged=damaged)]
    if tail.torn is not None:
        drafts.append(_recovered(records, tail.torn))
        file.cut(place.offset)
    return write_first(file, place, drafts, signer)


def _recovered(records: Records, torn: Cut) -> Draft:
    _log.warn("{size} bytes of an incomplete last line were cut off the journal", size=torn.size)
    details = {"bytes": torn.size, "sha256": torn.sha256, "cause": "the last line was incomplete", "refused": 0}
    return records.draft("recovered", "an incomplete last line was cut off", details)
