"""The detectors a policy can switch on, by name. One row each; all are pure and bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eve_proxy.pdp.assembly.detector import SymbolicAssembly
from eve_proxy.pdp.assembly.vocabulary import prepare
from eve_proxy.pdp.obfuscation.detector import UnicodeObfuscation
from eve_proxy.pdp.obfuscation.terms import disguised
from eve_proxy.pdp.ordinal.detector import OrdinalQuine
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.secrets.detector import KnownCredentials, NamedSecrets

Detect = Callable[[Question], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One row of the table.

    :ivar arm: makes the detector for a vocabulary; None when that leaves it without work.
    """

    name: str
    pillar: str
    vector: str
    reason: str
    arm: Callable[[tuple[str, ...]], Detect | None] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """A detector that is ready for a policy's vocabulary."""

    detector: Detector
    found_in: Detect = field(repr=False)


def _symbolic_assembly(terms: tuple[str, ...]) -> Detect | None:
    vocabulary = prepare(terms)
    return None if vocabulary is None else SymbolicAssembly(vocabulary=vocabulary).found_in


def _unicode_obfuscation(terms: tuple[str, ...]) -> Detect | None:
    vocabulary = prepare(terms)
    if vocabulary is None:
        return None
    return UnicodeObfuscation(vocabulary=vocabulary, disguised=disguised(vocabulary)).found_in


def _ordinal_quine(terms: tuple[str, ...]) -> Detect | None:
    vocabulary = prepare(terms)
    return None if vocabulary is None else OrdinalQuine(vocabulary=vocabulary).found_in


DETECTORS: Final = (
    Detector(
        name="symbolic_assembly",
        pillar="128",
        vector="706",
        reason="Pillar 128 Violation: Symbolic Assembly Attack Detected",
        arm=_symbolic_assembly,
    ),
    Detector(
        name="unicode_obfuscation",
        pillar="89",
        vector="unicode",
        reason="Pillar 89 Violation: Unicode Obfuscation Detected",
        arm=_unicode_obfuscation,
    ),
    Detector(
        name="ordinal_quine",
        pillar="128b",
        vector="encoded",
        reason="Pillar 128b Violation: Ordinal Quine Detected",
        arm=_ordinal_quine,
    ),
    Detector(
        name="known_credentials",
        pillar="local",
        vector="known_credentials",
        reason="the request carries a credential of a well-known format to a host it does not belong to",
        arm=lambda _: KnownCredentials().found_in,
    ),
    Detector(
        name="named_secrets",
        pillar="local",
        vector="named_secrets",
        reason="the request carries a random value next to the name of a secret",
        arm=lambda _: NamedSecrets().found_in,
    ),
)


def armed(names: frozenset[str], terms: tuple[str, ...]) -> tuple[Armed, ...]:
    """The detectors called ``names`` in table order, ready for ``terms``."""
    made = [(detector, detector.arm(terms)) for detector in DETECTORS if detector.name in names]
    return tuple([Armed(detector=detector, found_in=found_in) for detector, found_in in made if found_in is not None])
