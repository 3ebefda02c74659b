"""Which targets there are, and what each of them offers."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Final, Protocol, cast

TARGETS: Final = (
    "authority",
    "certificate",
    "client_hello",
    "governance_answer",
    "governance_question",
    "http_request",
    "http_response",
    "journal",
)


class Target(Protocol):
    """A module of this package.

    :ivar DICTIONARY: byte strings that chance would be slow to make.
    :ivar LONGEST: bytes; a longer input finds nothing more, only later.
    """

    DICTIONARY: tuple[bytes, ...]
    LONGEST: int

    def examine(self, data: bytes) -> None:
        """Try one input.

        :raises AssertionError: a finding; the message says what was expected. Any other exception is one as well.
        """

    def seeds(self) -> Iterable[bytes]:
        """Inputs to begin with, from the committed corpora."""


def load(name: str) -> Target:
    """The target called ``name``, which is one of ``TARGETS``."""
    return cast(Target, importlib.import_module(f"fuzz.{name}"))
