"""From a YAML file to a ``Policy``, or every fault of it at once (``docs/policy.md`` describes each key)."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Final

from eve_proxy.model.authority import parse_host
from eve_proxy.model.errors import EveError, InvalidAuthority
from eve_proxy.model.exchange import Route
from eve_proxy.pdp.detectors import DETECTORS, armed
from eve_proxy.pdp.lexicon import LONGEST_TERM, MOST_REQUESTS, MOST_TERMS, SHORTEST_TERM, Request, words_of
from eve_proxy.pdp.policy import Match, Policy, Rule
from eve_proxy.pdp.policy_reader import PolicyReader
from eve_proxy.pdp.policy_yaml import YamlFault, read_yaml

SHIPPED: Final = Path(__file__).with_name("egress_v1.yaml")
LARGEST_FILE: Final = 1 << 20

_TOP: Final = frozenset(("name", "default", "vocabulary", "requests", "detectors", "rules"))
_REQUEST: Final = frozenset(("asks", "objects", "telling"))
_RULE: Final = frozenset(("id", "pillar", "vector", "verdict", "reason", "match"))
_MATCH: Final = frozenset(("hosts", "methods", "path", "headers", "body", "routes", "ports"))
_VERDICTS: Final = {"allow": True, "block": False}
_ROUTES: Final = {route.value: route for route in Route}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")


class PolicyFault(EveError):
    """The policy can't be used.

    :ivar faults: one line each: where, what is wrong, what to do.
    """

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load_policy(path: Path | str = SHIPPED) -> Policy:
    """Read a policy file; without argument the one that comes with the package.

    :raises PolicyFault: unreadable, too large, not YAML, or anything in it that is not understood.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "not a path"
        raise PolicyFault((f"{path}: {said}; give the path of a readable policy file",)) from error
    if len(text) > LARGEST_FILE:
        raise PolicyFault((f"{path}: larger than {LARGEST_FILE} bytes; shorten it",))
    return parse_policy(text)


def parse_policy(text: bytes) -> Policy:
    """Validate the bytes of a policy file.

    :raises PolicyFault: with every fault that could be found.
    """
    try:
        value = read_yaml(text)
    except YamlFault as error:
        raise PolicyFault(error.faults) from error
    reader = PolicyReader()
    policy = _policy(reader, value, hashlib.sha256(text).hexdigest())
    if reader.faults:
        raise PolicyFault(tuple(reader.faults))
    return policy


def _policy(reader: PolicyReader, value: Any, sha256: str) -> Policy:
    top = reader.mapping("policy", value, _TOP)
    vocabulary = _vocabulary(reader, top.get("vocabulary"))
    requests = _requests(reader, top.get("requests"))
    detectors = _detectors(reader, top.get("detectors"))
    if detectors and not vocabulary:
        reader.fault("vocabulary", "is empty, but a detector needs it; list terms or switch the detector off")
    rules = tuple(
        [_rule(reader, number, rule) for number, rule in enumerate(reader.entries("rules", top.get("rules")), 1)]
    )
    ids = [rule.id for rule in rules]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        reader.fault(f"rule {name}", "this id is used twice; give each rule its own")
    return Policy(
        name=reader.text("name", top.get("name"), 128),
        sha256=sha256,
        allows=reader.choice("default", top.get("default"), _VERDICTS, False),
        rules=rules,
        vocabulary=vocabulary,
        # Compiling is the only dear step; a faulty file is not worth it.
        detectors=() if reader.faults else armed(detectors, vocabulary, requests),
    )


def _vocabulary(reader: PolicyReader, value: Any) -> tuple[str, ...]:
    terms: dict[tuple[str, ...], str] = {}
    for term in reader.entries("vocabulary", value, MOST_TERMS):
        where = f"vocabulary: {term!r:.80}"
        if not isinstance(term, str):
            reader.fault(where, "must be text; put it in quotes")
            continue
        words = words_of(term)
        size = len("".join(words))
        if not SHORTEST_TERM <= size <= LONGEST_TERM:
            reader.fault(where, f"has {size} letters and digits; a term needs {SHORTEST_TERM} to {LONGEST_TERM}")
        elif words in terms:
            reader.fault(where, f"is the same as {terms[words]!r:.80}; drop one")
        else:
            terms[words] = term
    return tuple(terms.values())


def _requests(reader: PolicyReader, value: Any) -> tuple[Request, ...]:
    made: list[Request] = []
    for number, entry in enumerate(reader.entries("requests", value, MOST_REQUESTS), 1):
        where = f"requests: no. {number}"
        request = reader.mapping(where, entry, _REQUEST)
        asks, objects = (reader.each(where, request, key, _word) for key in ("asks", "objects"))
        if asks and objects:
            telling = request.get("telling", False)
            if not isinstance(telling, bool):
                reader.fault(f"{where}: telling", "must be on or off")
            made.append(Request(asks=asks, objects=objects, telling=telling is True))
        else:
            reader.fault(where, "needs asks and objects; list words for both")
    return tuple(made)


def _word(entry: Any) -> str:
    if not isinstance(entry, str):
        raise ValueError("must be text; put it in quotes")
    if not 1 <= len("".join(words_of(entry))) <= LONGEST_TERM:
        raise ValueError(f"must have 1 to {LONGEST_TERM} letters and digits")
    return entry


def _detectors(reader: PolicyReader, value: Any) -> frozenset[str]:
    known = frozenset([detector.name for detector in DETECTORS])
    switched = reader.mapping("detectors", value, known)
    for name, switch in switched.items():
        if not isinstance(switch, bool):
            reader.fault(f"detectors.{name}", "must be on or off")
    return frozenset([name for name, switch in switched.items() if switch is True])


def _rule(reader: PolicyReader, number: int, value: Any) -> Rule:
    name = value.get("id") if isinstance(value, dict) else None
    where = f"rule {name}" if isinstance(name, str) and name.isprintable() and len(name) <= 64 else f"rule no. {number}"
    rule = reader.mapping(where, value, _RULE)
    name = reader.text(f"{where}: id", rule.get("id"), 64)
    allows = reader.choice(f"{where}: verdict", rule.get("verdict"), _VERDICTS, False)
    reason = reader.optional(f"{where}: reason", rule.get("reason"), 200)
    if "match" not in rule:
        reader.fault(where, "has no match; write match: {} where everything is meant")
    return Rule(
        id=name,
        allows=allows,
        reason=reason or f"{'allowed' if allows else 'blocked'} by rule {name}",
        match=_match(reader, f"{where}: match", rule.get("match")),
        pillar=reader.optional(f"{where}: pillar", rule.get("pillar"), 32),
        vector=reader.optional(f"{where}: vector", rule.get("vector"), 32),
    )


def _match(reader: PolicyReader, where: str, value: Any) -> Match:
    match = reader.mapping(where, value, _MATCH)
    methods = reader.each(where, match, "methods", _method)
    routes = reader.each(where, match, "routes", _route)
    ports = reader.each(where, match, "ports", _port)
    headers = reader.mapping(f"{where}.headers", match.get("headers"), None)
    return Match(
        hosts=reader.each(where, match, "hosts", _host),
        methods=None if methods is None else frozenset(methods),
        routes=None if routes is None else frozenset(routes),
        ports=None if ports is None else frozenset(ports),
        path=reader.pattern(f"{where}.path", match.get("path")),
        headers=tuple([
            (name.lower().encode("utf-8", "replace"), reader.required_pattern(f"{where}.headers.{name}", pattern))
            for name, pattern in headers.items()
        ]),
        body=reader.pattern(f"{where}.body", match.get("body")),
    )  # fmt: skip


def _host(entry: Any) -> str:
    if not isinstance(entry, str):
        raise ValueError("must be text; put it in quotes")
    text = entry.removeprefix(".")
    try:
        return parse_host(f"[{text}]" if ":" in text and not text.startswith("[") else text)[0]
    except InvalidAuthority as error:
        raise ValueError(f"is not a host name or address: {error.detail}") from error


def _method(entry: Any) -> str:
    if not isinstance(entry, str) or not _TOKEN.fullmatch(entry):
        raise ValueError("is not a method; write it as it is sent: POST")
    return entry


def _route(entry: Any) -> Route:
    if not isinstance(entry, str) or entry not in _ROUTES:
        raise ValueError(f"is not a route; known are {', '.join(_ROUTES)}")
    return _ROUTES[entry]


def _port(entry: Any) -> int:
    if not isinstance(entry, int) or isinstance(entry, bool) or not 1 <= entry <= 65535:
        raise ValueError("is not a port from 1 to 65535")
    return entry
