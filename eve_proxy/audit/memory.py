"""What one session leaves to the next beside the journal: the digests of its settings. Not evidence, only a reminder.

Who deletes it hides nothing: the next ``config_change`` says that the settings before are not known.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from eve_proxy.audit.file import sync_directory

_KEY_BYTES: Final = 32
_LARGEST: Final = 1 << 20


class Memory:
    """The file ``<journal's name>.config.json``, mode 0600: a random key, and digests by variable.

    :param journal: the journal's path.
    """

    def __init__(self, journal: Path) -> None:
        self.path = journal.with_name(f"{journal.stem}.config.json")

    def recall(self) -> tuple[bytes, dict[str, str]] | None:
        """Key and digests as they were written; None when there is no such file, or something else stands in it."""
        try:
            with self.path.open("rb") as file:
                value = orjson.loads(file.read(_LARGEST))
            key, variables = bytes.fromhex(value["key"]), value["variables"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        texts = isinstance(variables, dict) and all(isinstance(digest, str) for digest in variables.values())
        return (key, variables) if texts and len(key) == _KEY_BYTES else None

    def keep(self, key: bytes, variables: Mapping[str, str]) -> None:
        """Replace it, durably and as a whole.

        :raises OSError: it cannot be written.
        """
        content = orjson.dumps({"key": key.hex(), "variables": dict(variables)}, option=orjson.OPT_INDENT_2)
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(descriptor)
        os.rename(fresh, self.path)
        sync_directory(self.path.parent)
