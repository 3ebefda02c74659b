"""From a journal to a proof, in one pass and constant memory. Needs no key: whoever has the lines can prove."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from eve_proxy.signing.checkpoint import Checkpoint
from eve_proxy.signing.merkle import Frontier, Span, Subtrees, consistency_spans, inclusion_spans, leaf_hash
from eve_proxy.signing.proof import ConsistencyProof, InclusionProof
from eve_proxy.signing.spelling import Unacceptable, read_line

_ID: Final = b'{"certificate_id":"%b",'


class CannotProve(ValueError):
    """The journal does not give the proof. The message says why.

    :ivar contradicts: the journal is not the one that a checkpoint describes: one of the two was tampered with.
    """

    def __init__(self, detail: str, *, contradicts: bool = False) -> None:
        super().__init__(detail)
        self.contradicts = contradicts


def find_record(lines: Iterable[bytes], certificate_id: str) -> int:
    """The number of the record called ``certificate_id``, from 0.

    :param lines: of a journal from its first one, with their newlines.
    :raises CannotProve: there is none.
    """
    wanted = _ID % certificate_id.encode("utf-8", "surrogateescape")
    for number, line in enumerate(lines):
        if line.startswith(wanted):
            return number
    raise CannotProve(f"no record {certificate_id} in the journal")


def prove_inclusion(lines: Iterable[bytes], index: int, checkpoint: Checkpoint, note: bytes) -> InclusionProof:
    """That record ``index`` is in the journal of ``checkpoint``.

    :param note: the checkpoint as it was signed.
    :raises CannotProve: the checkpoint is of another journal, or does not cover the record.
    """
    if not 0 <= index < checkpoint.size:
        raise CannotProve(f"record {index} is not covered: the checkpoint has {checkpoint.size} records, from 0")
    kept: list[bytes] = []

    def keeping(numbered: Iterable[bytes]) -> Iterator[bytes]:
        for number, line in enumerate(numbered):
            if number == index:
                kept.append(line.removesuffix(b"\n"))
            yield line

    path = _pass(keeping(lines), checkpoint, inclusion_spans(index, checkpoint.size), None)
    return InclusionProof(line=kept[0], index=index, path=path, checkpoint=note)


def prove_consistency(lines: Iterable[bytes], old: Checkpoint, checkpoint: Checkpoint, note: bytes) -> ConsistencyProof:
    """That the journal of ``checkpoint`` begins with that of ``old``.

    :param note: ``checkpoint`` as it was signed.
    :raises CannotProve: it does not, or they are of different journals.
    """
    if old.origin != checkpoint.origin:
        raise CannotProve(f"the checkpoints are of different journals: {old.origin} and {checkpoint.origin}")
    if not 0 < old.size <= checkpoint.size:
        raise CannotProve(f"a checkpoint of {checkpoint.size} records does not continue one of {old.size}")
    path = _pass(lines, checkpoint, consistency_spans(old.size, checkpoint.size), old)
    return ConsistencyProof(old=old.size, path=path, checkpoint=note)


def _pass(
    lines: Iterable[bytes], checkpoint: Checkpoint, spans: Sequence[Span], old: Checkpoint | None
) -> tuple[bytes, ...]:
    whole, subtrees = Frontier(), Subtrees(spans)
    for line in lines:
        if whole.size == checkpoint.size:
            break
        if not line.endswith(b"\n"):
            break  # an incomplete last line is no record
        if whole.size == 0:
            _check_beginning(line[:-1], checkpoint)
        leaf = leaf_hash(line[:-1])
        whole.add(leaf)
        subtrees.add(leaf)
        if old is not None and whole.size == old.size and whole.root() != old.root:
            raise CannotProve(f"the first {old.size} records are not those of the earlier checkpoint", contradicts=True)
    if whole.size < checkpoint.size:
        raise CannotProve(f"the journal has {whole.size} records, the checkpoint {checkpoint.size}", contradicts=True)
    if whole.root() != checkpoint.root:
        raise CannotProve(f"the first {whole.size} records are not those of the checkpoint", contradicts=True)
    return subtrees.roots()


def _check_beginning(line: bytes, checkpoint: Checkpoint) -> None:
    try:
        log = read_line(line)["log"]
    except Unacceptable as error:
        raise CannotProve(f"its first line is not a record: {error}") from error
    if log is None or log["id"] != checkpoint.log_id:
        raise CannotProve(f"the checkpoint is of another journal: {checkpoint.origin}")
    if log["seq"] != 0:
        raise CannotProve(f"it begins with record {log['seq']}; give the files before it, too, in their order")
