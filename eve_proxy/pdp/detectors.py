"""The detectors a policy can switch on, by name. One row each; all are pure and bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eve_proxy.pdp.assembly.detector import SymbolicAssembly
from eve_proxy.pdp.lexicon import Lexicon, Request, compile_lexicon
from eve_proxy.pdp.obfuscation.detector import UnicodeObfuscation
from eve_proxy.pdp.obfuscation.terms import disguised, in_leet
from eve_proxy.pdp.ordinal.detector import OrdinalQuine
from eve_proxy.pdp.ordinal.skimming import in_codes, under_ciphers
from eve_proxy.pdp.question import Question
from eve_proxy.pdp.secrets.detector import KnownCredentials, NamedSecrets

Detect = Callable[[Question], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One row of the table.

    :ivar arm: makes it for a policy's words, without which it has no work; ``detect``: it needs none.
    """

    name: str
    pillar: str
    vector: str
    reason: str
    arm: Callable[[Lexicon], Detect] | None = field(default=None, repr=False)
    detect: Detect | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """A detector that is ready for a policy's vocabulary."""

    detector: Detector
    found_in: Detect = field(repr=False)


def _symbolic_assembly(lexicon: Lexicon) -> Detect:
    return SymbolicAssembly(lexicon=lexicon).found_in


def _unicode_obfuscation(lexicon: Lexicon) -> Detect:
    return UnicodeObfuscation(lexicon=lexicon, disguised=disguised(lexicon), leet=in_leet(lexicon)).found_in


def _ordinal_quine(lexicon: Lexicon) -> Detect:
    return OrdinalQuine(lexicon=lexicon, ciphered=under_ciphers(lexicon), coded=in_codes(lexicon)).found_in


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
        detect=KnownCredentials().found_in,
    ),
    Detector(
        name="named_secrets",
        pillar="local",
        vector="named_secrets",
        reason="the request carries a random value next to the name of a secret",
        detect=NamedSecrets().found_in,
    ),
)


def armed(names: frozenset[str], terms: tuple[str, ...], requests: tuple[Request, ...] = ()) -> tuple[Armed, ...]:
    """The detectors called ``names`` in table order, ready for ``terms`` and ``requests``."""
    lexicon = compile_lexicon(terms, requests) if terms else None
    made = []
    for detector in (row for row in DETECTORS if row.name in names):
        found_in = detector.detect
        if detector.arm is not None and lexicon is not None:
            found_in = detector.arm(lexicon)
        if found_in is not None:
            made.append(Armed(detector=detector, found_in=found_in))
    return tuple(made)
