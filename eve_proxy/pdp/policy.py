"""A loaded policy: frozen, validated, everything compiled. Made by ``policy_file`` only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eve_proxy.model.exchange import Route
from eve_proxy.model.verdict import PolicyRef
from eve_proxy.pdp.detectors import Armed
from eve_proxy.pdp.question import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a rule looks at. None means "anything"; all that is given must agree.

    :ivar hosts: suffixes of whole labels in canonical form; a literal address only equals itself.
    :ivar methods: case-sensitive, as methods are (RFC 9110 section 9.1).
    :ivar path: searched in path and query.
    :ivar headers: by lower-case name, searched in any value of that name.
    :ivar body: searched in the body; no body, no match.
    """

    hosts: tuple[str, ...] | None = None
    methods: frozenset[str] | None = None
    routes: frozenset[Route] | None = None
    ports: frozenset[int] | None = None
    path: Any = field(default=None, repr=False)
    headers: tuple[tuple[bytes, Any], ...] = field(default=(), repr=False)
    body: Any = field(default=None, repr=False)

    def fits(self, question: Question) -> bool:
        """Whether ``question`` is one of those meant, cheapest condition first."""
        return (
            (self.methods is None or question.method in self.methods)
            and (self.ports is None or question.port in self.ports)
            and (self.routes is None or question.route in self.routes)
            and (self.hosts is None or under_any(question.host, self.hosts))
            and (self.path is None or self.path.search(question.path) is not None)
            and (not self.headers or all(_any_value(question, name, pattern) for name, pattern in self.headers))
            and (self.body is None or (bool(question.body) and self.body.search(question.body) is not None))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the policy: the first that fits decides.

    :ivar reason: what the certificate will say.
    """

    id: str
    allows: bool
    reason: str
    match: Match
    pillar: str | None = None
    vector: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A whole policy file.

    :ivar sha256: lower-case hex over the file's bytes.
    :ivar allows: what happens when no rule fits.
    :ivar detectors: those that are switched on, in the order they run.
    """

    name: str
    sha256: str
    allows: bool
    rules: tuple[Rule, ...]
    vocabulary: tuple[str, ...] = field(repr=False)
    detectors: tuple[Armed, ...] = field(repr=False)

    @property
    def ref(self) -> PolicyRef:
        """What certificates call it."""
        return PolicyRef(set=self.name, sha256=self.sha256)


def under_any(host: str, suffixes: tuple[str, ...]) -> bool:
    """Suffix matching on labels, never on strings: ``example.com`` covers ``a.example.com``, not ``badexample.com``."""
    # One call rules out nearly every host.
    return host.endswith(suffixes) and any(host == suffix or host.endswith("." + suffix) for suffix in suffixes)


def _any_value(question: Question, name: bytes, pattern: Any) -> bool:
    return any(pattern.search(value) is not None for value in question.headers.get_all(name))
