"""The tree: every proof that should hold does, and none that was altered; another implementation agrees."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.signing.merkle import (
    Frontier,
    Span,
    Subtrees,
    consistency_spans,
    continues,
    includes,
    inclusion_spans,
    leaf_hash,
    node_hash,
)

LINES = st.lists(st.binary(max_size=8), min_size=1, max_size=70)
BITS = st.integers(0, 255)


def leaves_of(lines: Sequence[bytes]) -> list[bytes]:
    return [leaf_hash(line) for line in lines]


def root_of(leaves: Sequence[bytes]) -> bytes:
    tree = Frontier()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def path_of(spans: Sequence[Span], leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    subtrees = Subtrees(spans)
    for leaf in leaves:
        subtrees.add(leaf)
    return subtrees.roots()


def flipped(value: bytes, bit: int) -> bytes:
    number = int.from_bytes(value, "big") ^ (1 << bit)
    return number.to_bytes(len(value), "big")


def test_small_trees_by_hand() -> None:
    """The tree is that of RFC 9162: an unpaired node is promoted, not doubled."""
    a, b, c = leaves_of([b"a", b"b", b"c"])
    assert a == hashlib.sha256(b"\x00a").digest()
    assert root_of([]) == hashlib.sha256(b"").digest()
    assert root_of([a]) == a
    assert root_of([a, b, c]) == node_hash(node_hash(a, b), c)
    assert node_hash(a, b) == hashlib.sha256(b"\x01" + a + b).digest()


def test_published_roots() -> None:
    """The roots are those of the test vectors that Certificate Transparency's implementations share."""
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    leaves = leaves_of([bytes.fromhex(entry) for entry in entries])
    assert {size: root_of(leaves[:size]).hex() for size in roots} == roots


@given(LINES)
def test_roots_are_those_of_another_implementation(lines: list[bytes]) -> None:
    """An auditor may use any library of RFC 9162 (here: pymerkle) on the lines."""
    theirs = pymerkle.InmemoryTree(algorithm="sha256")
    ours = Frontier()
    for line in lines:
        theirs.append_entry(line)
        ours.add(leaf_hash(line))
        assert theirs.get_root(ours.size) == ours.root()


@given(LINES, st.data())
def test_paths_are_those_of_another_implementation(lines: list[bytes], data: st.DataObject) -> None:
    """An inclusion proof holds the hashes that the other one's does (Go's checks both kinds: test_go_verifier.py)."""
    theirs = pymerkle.InmemoryTree(algorithm="sha256")
    for line in lines:
        theirs.append_entry(line)
    index = data.draw(st.integers(0, len(lines) - 1))
    leaves = leaves_of(lines)
    path = path_of(inclusion_spans(index, len(lines)), leaves)
    form: dict[str, Any] = theirs.prove_inclusion(index + 1, len(lines)).serialize()
    # Theirs lists the leaf too, and from left to right; ours goes from the sibling up.
    assert sorted(form["path"]) == sorted(node.hex() for node in (leaves[index], *path))


@given(st.integers(0, 300))
def test_frontier_is_small_and_resumes(size: int) -> None:
    """A restart goes on from a handful of hashes, and never from the wrong number of them."""
    leaves = leaves_of([b"%d" % number for number in range(size)])
    tree = Frontier()
    for leaf in leaves:
        tree.add(leaf)
    peaks = tree.peaks
    assert len(peaks) == size.bit_count()
    resumed = Frontier(size, peaks)
    for tree_ in (tree, resumed):
        tree_.add(leaf_hash(b"next"))
    assert resumed.root() == tree.root() == root_of([*leaves, leaf_hash(b"next")])
    with pytest.raises(ValueError, match="peaks"):
        Frontier(size, (*peaks, leaf_hash(b"one too many")))


@given(LINES, st.data())
def test_inclusion_holds(lines: list[bytes], data: st.DataObject) -> None:
    """Every line of every tree can be proven to be in it, with as many hashes as the tree is high."""
    leaves = leaves_of(lines)
    size = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))
    path = path_of(inclusion_spans(index, size), leaves)
    assert len(path) <= (size - 1).bit_length()
    assert includes(root_of(leaves[:size]), size, index, leaves[index], path)


@given(LINES, st.data())
def test_altered_inclusion_does_not_hold(lines: list[bytes], data: st.DataObject) -> None:
    """Another leaf, root, size or place, or one bit of the path, and nothing is proven."""
    leaves = leaves_of(lines)
    size, root = len(leaves), root_of(leaves)
    index = data.draw(st.integers(0, size - 1))
    leaf, path = leaves[index], path_of(inclusion_spans(index, size), leaves)
    bit = data.draw(BITS)
    assert not includes(flipped(root, bit), size, index, leaf, path)
    assert not includes(root, size, index, flipped(leaf, bit), path)
    for place in range(len(path)):
        assert not includes(root, size, index, leaf, (*path[:place], flipped(path[place], bit), *path[place + 1 :]))
        assert not includes(root, size, index, leaf, (*path[:place], *path[place + 1 :]))
    assert not includes(root, size, index, leaf, (*path, root))
    other = data.draw(st.integers(-1, size))
    # Two equal lines are equal leaves; in another place the path is another one, unless both are one and the same.
    if other != index and not (0 <= other < size and path_of(inclusion_spans(other, size), leaves) == path):
        assert not includes(root, size, other, leaf, path)


@given(st.integers(1, 200), st.integers(1, 200))
def test_inclusion_binds_the_size_as_far_as_the_shape_goes(size: int, claimed: int) -> None:
    """A path made for one size proves nothing for a size in which the leaf's path has another shape."""
    leaves = leaves_of([b"%d" % number for number in range(size)])
    index = size - 1
    path = path_of(inclusion_spans(index, size), leaves)
    holds = includes(root_of(leaves), claimed, index, leaves[index], path)
    assert holds <= (claimed > index)
    if claimed > index and len(inclusion_spans(index, claimed)) != len(path):
        assert not holds


@given(LINES, st.data())
def test_consistency_holds(lines: list[bytes], data: st.DataObject) -> None:
    """Every tree can be proven to continue each of its beginnings."""
    leaves = leaves_of(lines)
    new = data.draw(st.integers(1, len(leaves)))
    old = data.draw(st.integers(1, new))
    path = path_of(consistency_spans(old, new), leaves)
    assert continues(root_of(leaves[:old]), old, root_of(leaves[:new]), new, path)


@given(st.lists(st.binary(max_size=8), min_size=2, max_size=70), st.data())
def test_altered_consistency_does_not_hold(lines: list[bytes], data: st.DataObject) -> None:
    """A journal whose past was rewritten has no proof: not with another root, nor with any bit of the path changed."""
    leaves = leaves_of(lines)
    new = len(leaves)
    old = data.draw(st.integers(1, new - 1))
    old_root, new_root = root_of(leaves[:old]), root_of(leaves)
    path, bit = path_of(consistency_spans(old, new), leaves), data.draw(BITS)
    assert not continues(flipped(old_root, bit), old, new_root, new, path)
    assert not continues(old_root, old, flipped(new_root, bit), new, path)
    for place in range(len(path)):
        altered = (*path[:place], flipped(path[place], bit), *path[place + 1 :])
        assert not continues(old_root, old, new_root, new, altered)
        assert not continues(old_root, old, new_root, new, (*path[:place], *path[place + 1 :]))
    assert not continues(old_root, old, new_root, new, (*path, new_root))
    assert not continues(old_root, old, new_root, new, ())
    edited = data.draw(st.integers(0, old - 1))
    rewritten = [*leaves[:edited], flipped(leaves[edited], bit), *leaves[edited + 1 :]]
    forged = path_of(consistency_spans(old, new), rewritten)
    assert not continues(old_root, old, root_of(rewritten), new, forged)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3), (1, 2**53)])
def test_sizes_that_prove_nothing(old: int, new: int) -> None:
    """An empty journal is the beginning of any: that says nothing, and is not called a proof."""
    root = leaf_hash(b"x")
    assert not continues(root, old, root, new, (root,))
    if new < 2**53:
        with pytest.raises(ValueError, match="cannot be shown"):
            consistency_spans(old, new)


def test_no_such_leaf_and_too_few_leaves() -> None:
    """Asking for what is not there says so."""
    with pytest.raises(ValueError, match="no leaf 3"):
        inclusion_spans(3, 3)
    with pytest.raises(ValueError, match="fewer leaves"):
        path_of(inclusion_spans(0, 4), leaves_of([b"a", b"b"]))
