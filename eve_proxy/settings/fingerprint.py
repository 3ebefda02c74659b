"""Which variables changed, without their values: for ``config_change`` records (evidence.md, "The journal").

An auditor can compare a digest with that of a value he is shown. What must not be guessed (secrets, private keys, the
variables of plugins) is digested under a random key that never leaves the machine: two digests tell whether such a
value changed, and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from eve_proxy.model.text import clean
from eve_proxy.settings.reading import Entry

# A certificate has 4,096 bytes; a change takes up to 240 of them.
_IN_ONE_RECORD: Final = 10
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Digests of one configuration.

    :ivar key: 32 random bytes for what must not be guessed; the same from session to session.
    :ivar variables: name to ``sha256-`` or ``keyed-`` and hex; a variable without a value is absent.
    """

    key: bytes = field(repr=False)
    variables: Mapping[str, str]

    @classmethod
    def of(cls, entries: Iterable[Entry], key: bytes) -> Fingerprint:
        """Of a configuration's entries."""
        found = {entry.name: _digest(entry.sha256, key if entry.guarded else None) for entry in entries if entry.text}
        return cls(key=key, variables=found)

    def having(self, name: str, sha256: str) -> Fingerprint:
        """The same with another value of one guarded variable.

        :param sha256: as ``Entry.sha256``.
        """
        return Fingerprint(key=self.key, variables={**self.variables, name: _digest(sha256, self.key)})

    @property
    def sha256(self) -> str:
        """One digest for all of it: ``sha256-`` and hex over the variables as JSON with sorted keys."""
        whole = orjson.dumps(dict(self.variables), option=orjson.OPT_SORT_KEYS)
        return "sha256-" + hashlib.sha256(whole).hexdigest()

    def changes_since(self, before: Fingerprint | None) -> list[dict[str, Any]]:
        """The ``record`` of each ``config_change`` that it takes to say what changed; none when nothing did.

        :param before: None when it is not known: that is said, too.
        """
        if before is None:
            return [{"previous": None, "config": self.sha256, "changed": []}]
        names = sorted({*before.variables, *self.variables})
        changed = [
            {"name": clean(name, _LONGEST_NAME), "before": old, "after": new}
            for name in names
            if (old := before.variables.get(name)) != (new := self.variables.get(name))
        ]
        return [
            {"previous": before.sha256, "config": self.sha256, "changed": changed[start : start + _IN_ONE_RECORD]}
            for start in range(0, len(changed), _IN_ONE_RECORD)
        ]


def _digest(sha256: str, key: bytes | None) -> str:
    if key is None:
        return f"sha256-{sha256}"
    return "keyed-" + hmac.new(key, sha256.encode("ascii"), "sha256").hexdigest()
