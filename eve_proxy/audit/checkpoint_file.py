"""The latest checkpoint of a journal, in a file beside it. Blocks: it runs where the journal is written. No Twisted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from eve_proxy.audit.tree import Tree, tree_record
from eve_proxy.interfaces import ISigner
from eve_proxy.signing.checkpoint import SUFFIX, checkpoint_of
from eve_proxy.signing.checkpoint_signing import sign_checkpoint

# A checkpoint is due after so many records, or after so long when there were any (evidence.md).
RECORDS: Final = 1000
SECONDS: Final = 60.0


class CheckpointFile:
    """``<journal>.checkpoint``: replaced as a whole each time, so that a reader finds one checkpoint or another.

    :param journal: the journal's path.
    :param log_id: its id.
    :param signer: what signs the journal at the moment.
    """

    def __init__(self, journal: Path, log_id: str, tree: Tree, signer: Callable[[], ISigner]) -> None:
        self._path = journal.with_name(journal.name + SUFFIX)
        self._log_id = log_id
        self._tree = tree
        self._signer = signer

    def write(self) -> dict[str, Any] | None:
        """Sign the tree as it is now, and put the checkpoint in its place.

        :returns: what the ``checkpoint`` record says of it; None when the tree is not known.
        :raises OSError: the file could not be written.
        :raises SigningFailed: the signer raised.
        """
        frontier = self._tree.frontier
        if frontier is None:
            return None
        checkpoint = checkpoint_of(self._log_id, frontier.size, frontier.root())
        note = sign_checkpoint(checkpoint, self._signer())
        said = tree_record(frontier)
        fresh = self._path.with_name(self._path.name + ".new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, note)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(fresh, self._path)
        return said
