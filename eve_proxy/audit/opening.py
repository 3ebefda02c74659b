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
from eve_proxy.audit.file import JournalFile, Opener, make_directories, open_file, sync_directory
from eve_proxy.audit.joined import Joined
from eve_proxy.audit.journal import Journal
from eve_proxy.audit.lock import take_lock
from eve_proxy.audit.predecessor import PredecessorDamaged, predecessor
from eve_proxy.audit.present_file import PresentFile
from eve_proxy.audit.records import Records
from eve_proxy.audit.recovery import Cut, Place, Tail, TailDamaged, measure, read_tail
from eve_proxy.audit.rotation import FileRotation, aside
from eve_proxy.audit.tree import Tree
from eve_proxy.interfaces import IClock, IEntropy, ISigner
from eve_proxy.model.certificate import Draft
from eve_proxy.model.errors import JournalUnavailable
from eve_proxy.model.exchange import EGRESS_CALLER

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
    rotate_bytes: int = 0,
    caller: str = EGRESS_CALLER,
    config: str | None = None,
    opener: Opener = open_file,
) -> Journal:
    """Open or make the journal at ``path``; its ``session_open`` is durable when this returns.

    :param offload: runs blocking calls one after the other elsewhere (``audit.committer.Committer``).
    :param sync: EVE_PROXY_AUDIT_SYNC; ``off`` leaves durability to the operating system.
    :param timeout: EVE_PROXY_AUDIT_TIMEOUT, seconds.
    :param config: digest of all settings, for ``session_open``.
    :param rotate_bytes: EVE_PROXY_AUDIT_ROTATE_BYTES; 0: the journal stays one file until somebody renames it.
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
            if tree.frontier is None and tail.place is not None:
                with Joined(path, tail.place) as whole:
                    tree.take_up(whole, whole.place, signer)
            if tree.frontier is None:
                _log.warn("{path} has no beginning and no checkpoint record: it gets no checkpoints", path=str(path))
            place = _begin(file, tail, damaged, records, entropy, signer, sync, config)
            rotation = FileRotation(path=path, opener=opener, clock=clock, largest=rotate_bytes)
            durable = sync == "batch"
            return Journal(
                path=path,
                file=PresentFile(file, place, rotation=rotation, offload=offload, durable=durable),
                lock=lock,
                tree=tree,
                signer=signer,
                records=records,
                clock=clock,
                timers=reactor_clock,
                offload=offload,
                durable=durable,
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
    """The file, what its tail says, and, when a damaged one was not continued, what ``session_open`` says of that."""
    file = opener(path)
    try:
        tail = read_tail(file, signer)
        if tail.place is None:
            # Made by logrotate its name may not be durable yet; and the chain may go on from a rotated file.
            sync_directory(path.parent)
            return file, *_continue(path, tail, signer, opener)
        return file, tail, None
    except TailDamaged as error:
        sha256 = measure(file, 0, file.size()).sha256
        file.close()
        moved = aside(path, "damaged", clock)
        os.rename(path, moved)  # durable with the new file's name, by the sync of their directory in ``open_file``
        _log.error(
            "the journal {path} is damaged ({error}); it was moved to {aside} and a new one begins",
            path=str(path),
            error=str(error),
            aside=str(moved),
        )
        return opener(path), Tail(place=None, key_id=None, torn=None), _damage(moved, sha256)
    except BaseException:
        file.close()
        raise


def _continue(path: Path, tail: Tail, signer: ISigner, opener: Opener) -> tuple[Tail, dict[str, Any] | None]:
    """What the tail of the rotated file before says of a file without records, and what of a damaged one."""
    try:
        before = predecessor(path, opener, signer)
    except PredecessorDamaged as error:
        _log.error(
            "the rotated journal {path} is damaged ({error}); a new one begins", path=str(error.path), error=str(error)
        )
        return tail, _damage(error.path, error.sha256)
    if before is None:
        return tail, None
    file, last = before
    place = last.place
    assert place is not None
    if last.torn is not None:
        file.cut(place.offset)
    file.close()
    goes_on = Place(offset=0, last=b"", next=place.next)
    return Tail(place=goes_on, key_id=last.key_id, torn=tail.torn, torn_before=last.torn), None


def _damage(path: Path, sha256: str) -> dict[str, Any]:
    return {"damaged_file": path.name[-200:], "damaged_sha256": sha256}


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
    drafts += [_recovered(records, torn) for torn in (tail.torn_before, tail.torn) if torn is not None]
    if tail.torn is not None:
        file.cut(place.offset)
    return write_first(file, place, drafts, signer)


def _recovered(records: Records, torn: Cut) -> Draft:
    _log.warn("{size} bytes of an incomplete last line were cut off the journal", size=torn.size)
    details = {"bytes": torn.size, "sha256": torn.sha256, "cause": "the last line was incomplete", "refused": 0}
    return records.draft("recovered", "an incomplete last line was cut off", details)
