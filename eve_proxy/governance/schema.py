"""Typed reading of an answer's members: right, absent, or not the contract (governance-api.md, "Answer")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from eve_proxy.model.text import clean

# The certificate's bound for matched_pillar and matched_vector.
_LONGEST_NAME: Final = 32
_POLICY_ID: Final = re.compile(r"P([0-9][0-9A-Za-z]{0,31})(?::([0-9A-Za-z][0-9A-Za-z._-]{0,31}))?")


class NotTheContract(Exception):
    """A member is missing or of another type. Carries no text: nothing of the answer may travel with it."""


def text(members: Mapping[str, Any], name: str) -> str | None:
    """The text called ``name``; None when it is absent or null.

    :raises NotTheContract: it is of another type.
    """
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise NotTheContract
    return value


def objects(members: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The list of objects called ``name``; empty when it is absent or null.

    :raises NotTheContract: it is not a list, or something in it is not an object.
    """
    value = members.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise NotTheContract
    return value


def pillar_and_vector(decision: Mapping[str, Any], violations: list[dict[str, Any]]) -> tuple[str | None, str | None]:
    """What matched: the decision's own fields, else the first ``policy_id`` of the form ``P128`` or ``P128:706``.

    :raises NotTheContract: one of the fields is not text.
    """
    pillar, vector = text(decision, "matched_pillar"), text(decision, "matched_vector")
    for violation in violations:
        named = _POLICY_ID.fullmatch(text(violation, "policy_id") or "")
        # A vector belongs to its pillar: that of another one would name a rule that does not exist.
        if named and pillar in (None, "", named[1]):
            pillar, vector = named[1], vector or named[2]
            break
    return _name(pillar), _name(vector)


def _name(value: str | None) -> str | None:
    return clean(value, _LONGEST_NAME) if value else None
