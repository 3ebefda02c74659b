"""The committed corpora, from which the seeds come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parent.parent / "tests"
CORPUS: Final = TESTS / "corpus"
VECTORS: Final = TESTS / "vectors"
FINDINGS: Final = CORPUS / "findings"


def files(pattern: str) -> Iterator[bytes]:
    """The contents of the files of ``tests/corpus`` that match, in the order of their names."""
    for path in sorted(CORPUS.glob(pattern)):
        yield path.read_bytes()
