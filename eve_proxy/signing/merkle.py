"""The Merkle tree over a journal's lines (RFC 9162 section 2.1, SHA-256): growing it, proving from it, checking proofs.

Nothing here holds the tree. Growing it takes one hash per one bit of its size; a proof is made in one pass over the
leaves, because the subtrees that it names never overlap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

HASH_BYTES: Final = 32
# No journal has more records; it bounds what a hostile proof may cost.
LARGEST: Final = 2**53 - 1

_EMPTY: Final = hashlib.sha256(b"").digest()


def leaf_hash(line: bytes) -> bytes:
    """The hash of one leaf: a journal line without its newline."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node. Its first byte keeps a node from passing for a leaf."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that only grows, in as many hashes as its size has one bits.

    :param peaks: the roots of its complete subtrees, the largest first.
    :raises ValueError: not as many as ``size`` needs.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if not 0 <= size <= LARGEST or len(peaks) != size.bit_count() or any(len(peak) != HASH_BYTES for peak in peaks):
            raise ValueError("not the peaks of a tree of this size")
        self._size = size
        self._peaks = list(peaks)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """What the tree can be taken up from."""
        return tuple(self._peaks)

    def add(self, leaf: bytes) -> None:
        """Append the hash of a leaf."""
        peaks, complete = self._peaks, self._size
        while complete & 1:
            leaf = node_hash(peaks.pop(), leaf)
            complete >>= 1
        peaks.append(leaf)
        self._size += 1

    def root(self) -> bytes:
        """The tree's head; of an empty one, the hash of nothing."""
        if not self._peaks:
            return _EMPTY
        *others, root = self._peaks
        for peak in reversed(others):
            root = node_hash(peak, root)
        return root


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The leaves of one subtree, ``start`` up to and without ``end``."""

    start: int
    end: int


def inclusion_spans(index: int, size: int) -> tuple[Span, ...]:
    """The subtrees whose roots prove that leaf ``index`` is in a tree of ``size`` (section 2.1.3.1), in proof order.

    :raises ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    start, end, spans = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append(Span(start=middle, end=end))
            end = middle
        else:
            spans.append(Span(start=start, end=middle))
            start = middle
    return tuple(reversed(spans))


def consistency_spans(old: int, new: int) -> tuple[Span, ...]:
    """The subtrees whose roots prove that the tree of ``new`` begins with that of ``old`` (section 2.1.4.1).

    :raises ValueError: there is nothing to prove: ``old`` is 0 or more than ``new``.
    """
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} cannot be shown to continue one of {old}")
    start, end, spans = 0, new, []
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            spans.append(Span(start=middle, end=end))
            end = middle
        else:
            spans.append(Span(start=start, end=middle))
            start = middle
    if start:  # what begins at the first leaf is the old tree itself, whose root the verifier has
        spans.append(Span(start=start, end=end))
    return tuple(reversed(spans))


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``, which is 2 or more."""
    return 1 << ((size - 1).bit_length() - 1)


class Subtrees:
    """The roots of ``spans``, which do not overlap, from all leaves passing by in order, once."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._ordered = sorted(spans, key=lambda span: span.start, reverse=True)
        self._roots: dict[Span, bytes] = {}
        self._growing = Frontier()
        self._seen = 0

    def add(self, leaf: bytes) -> None:
        """The next leaf's hash."""
        if self._ordered and self._ordered[-1].start <= self._seen:
            self._growing.add(leaf)
            if self._seen + 1 == self._ordered[-1].end:
                self._roots[self._ordered.pop()] = self._growing.root()
                self._growing = Frontier()
        self._seen += 1

    def roots(self) -> tuple[bytes, ...]:
        """In the order of ``spans``.

        :raises ValueError: the leaves ended too early.
        """
        if self._ordered:
            raise ValueError("the tree has fewer leaves")
        return tuple(self._roots[span] for span in self._spans)


def includes(root: bytes, size: int, index: int, leaf: bytes, path: Iterable[bytes]) -> bool:
    """Whether ``path`` proves that ``leaf`` is number ``index`` of the tree (section 2.1.3.2)."""
    if not 0 <= index < size <= LARGEST:
        return False
    place, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(sibling, node)
            while place and not place & 1:
                place >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        place >>= 1
        last >>= 1
    return last == 0 and node == root


def continues(old_root: bytes, old: int, new_root: bytes, new: int, path: Sequence[bytes]) -> bool:
    """Whether ``path`` proves that the tree of ``new`` leaves begins with that of ``old`` (section 2.1.4.2).

    Nothing is proven about an empty old tree: it is not the beginning of anything in particular.
    """
    if not 0 < old <= new <= LARGEST:
        return False
    if old == new:
        return not path and old_root == new_root
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place >>= 1
        last >>= 1
    # A complete old tree is a subtree of the new one: its root is where both begin.
    first, *rest = path if place else (old_root, *path)
    was = now = first
    for node in rest:
        if last == 0:
            return False
        if place & 1 or place == last:
            was, now = node_hash(node, was), node_hash(node, now)
            while place and not place & 1:
                place >>= 1
                last >>= 1
        else:
            now = node_hash(now, node)
        place >>= 1
        last >>= 1
    return last == 0 and was == old_root and now == new_root
