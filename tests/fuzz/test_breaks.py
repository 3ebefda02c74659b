"""A target that can find nothing is a defect too: each fault here is put into the code, and its target sees it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from eve_proxy.governance import codec, redaction
from eve_proxy.model import authority
from eve_proxy.signing import journal_walk, spelling, verification
from eve_proxy.signing.secret import Secret
from eve_proxy.wire import body, chunked, client_hello, fields, request_head, request_line, response_head, strict_json
from fuzz.targets import Target, load

ENOUGH = 4000
PATCH = pytest.MonkeyPatch
Break = Callable[[PATCH], None]


@pytest.fixture(autouse=True)
def _no_memory() -> Iterator[None]:
    """What is remembered from sound code would hide a fault, and what is remembered of a fault would outlive it."""
    remembered = (authority.parse_authority, request_line.parse_host, response_head.parse_response_head)
    for function in remembered:
        function.cache_clear()
    yield
    for function in remembered:
        function.cache_clear()


def seeds_and_mutations(target: Target) -> Iterator[bytes]:
    """What a fuzzer tries first."""
    chance = random.Random(1)
    seeds = [seed for seed in target.seeds() if len(seed) < 3000]
    yield from seeds
    for _ in range(ENOUGH):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(4):
                case 0:
                    data[at:at] = chance.choice(target.DICTIONARY)
                case 1:
                    del data[at : at + chance.randrange(1, 8)]
                case 2:
                    data[at : at + 1] = bytes((chance.randrange(256),))
                case _:
                    other = chance.choice(seeds)
                    data[at:] = other[chance.randrange(len(other) + 1) :]
        yield bytes(data[: target.LONGEST])


def unfold(patch: PATCH) -> None:
    """obs-fold is accepted, correctly: as h11 does."""
    split = fields.split_head
    for module in (request_head, response_head):
        patch.setattr(module, "split_head", lambda head, fates: split(head.replace(b"\r\n ", b" "), fates))


def lone_line_feeds(patch: PATCH) -> None:
    """A bare LF ends a line."""
    split = fields.split_head
    for module in (request_head, response_head):
        patch.setattr(
            module, "split_head", lambda head, fates: split(head.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), fates)
        )


def repeated_lengths(patch: PATCH) -> None:
    """Of two equal Content-Lengths, in one field or two, one is enough (and llhttp does not look)."""
    split = fields.split_head

    def lax(head: bytes, fates: Any) -> Any:
        lines = head.split(b"\r\n")
        lengths = [line for line in lines if line.lower().startswith(b"content-length:")]
        kept = [line for line in lines if line not in lengths[1:]]
        if lengths and len(set(lengths)) == 1:
            kept = [line for place, line in enumerate(lines) if line != lengths[0] or place == lines.index(lengths[0])]
        return split(b"\r\n".join(kept), fates)

    patch.setattr(request_head, "split_head", lax)
    patch.setattr(response_head, "split_head", lax)


def old_encodings(patch: PATCH) -> None:
    """Transfer-Encoding counts in HTTP/1.0."""
    declared = request_head.declared_framing
    for module in (request_head, response_head):
        patch.setattr(module, "declared_framing", lambda version, *values: declared("1.1", *values))


def short_bodies(patch: PATCH) -> None:
    """A body ends one byte early."""
    init = body.LengthDecoder.__init__
    patch.setattr(body.LengthDecoder, "__init__", lambda self, length: init(self, max(1, length - 1)))


def whole_hops(patch: PATCH) -> None:
    """What is for one hop travels on."""
    lax = type(request_head.REQUEST)(frozenset((b"content-length", b"host", b"transfer-encoding")))
    patch.setattr(request_head, "REQUEST", lax)


def signed_sizes(patch: PATCH) -> None:
    """A chunk's size is whatever Python takes for a hexadecimal number."""
    patch.setattr(chunked, "HEX", chunked.HEX + b"_x+")


def trailers(patch: PATCH) -> None:
    """Trailers of requests are accepted."""
    init = chunked.ChunkedDecoder.__init__
    patch.setattr(chunked.ChunkedDecoder, "__init__", lambda self, trailers: init(self, trailers=True))


def other_statuses(patch: PATCH) -> None:
    """304 has a body."""
    patch.setattr(response_head, "response_framing", lambda method, status, declared: declared)


def any_101(patch: PATCH) -> None:
    """A 101 to anything is a websocket."""
    patch.setattr(response_head, "_upgrade", lambda *_: b"websocket")


def few_spellings(patch: PATCH) -> None:
    """Only dotted decimals are addresses."""
    patch.setattr(authority, "_number", lambda text: int(text, 10))


def names_only(patch: PATCH) -> None:
    """No spelling is an address."""
    patch.setattr(authority, "_ipv4", lambda host: None)


def shouting(patch: PATCH) -> None:
    """Case is kept."""
    patch.setattr(authority, "_LABEL", authority.re.compile(r"[A-Za-z0-9_.-]+\Z"))
    ascii_of = authority._to_ascii
    patch.setattr(authority, "_to_ascii", lambda text: ascii_of(text).replace("xn--", "XN--"))
    patch.setattr(authority, "_name", lambda text: text.removesuffix("."))


def two_names(patch: PATCH) -> None:
    """An extension may occur twice; the last one counts."""

    def lax(block: memoryview) -> dict[int, memoryview]:
        found, position = {}, 0
        while position + 4 <= len(block):
            kind, length = client_hello.struct.unpack_from(">HH", block, position)
            found[kind] = block[position + 4 : position + 4 + length]
            position += 4 + length
        return found

    patch.setattr(client_hello, "_extensions", lax)


def one_record(patch: PATCH) -> None:
    """A hello is looked for in the first record only."""
    patch.setattr(client_hello, "MOST_RECORDS", 1)


def any_name(patch: PATCH) -> None:
    """A server name is whatever stands there, without its last character."""
    patch.setattr(client_hello, "_host", lambda raw: raw.decode("latin-1")[:-1] or "a")


def last_member(patch: PATCH) -> None:
    """Of two members with one name the last counts."""
    patch.setattr(strict_json, "_as_we_spell_it", orjson.loads)


def any_case(patch: PATCH) -> None:
    """A status is compared without case or blanks."""
    verdict = codec._verdict

    def lax(answer: dict[str, Any], *others: Any) -> Any:
        decision = answer.get("decision")
        if isinstance(decision, dict) and isinstance(decision.get("status"), str):
            answer = answer | {"decision": decision | {"status": decision["status"].strip().upper()}}
        return verdict(answer, *others)

    patch.setattr(codec, "_verdict", lax)


def no_question(patch: PATCH) -> None:
    """An answer to another question will do."""
    decode = codec._strict_json
    patch.setattr(codec, "_strict_json", lambda raw: {**decode(raw), "request_id": "cert_0000000000000001"})


def open_credentials(patch: PATCH) -> None:
    """Credentials are sent."""
    patch.setattr(redaction.Redactor, "value", lambda self, value: value)


def open_parameters(patch: PATCH) -> None:
    """Names of parameters are compared as they are spelt."""
    patch.setattr(redaction, "unquote_to_bytes", lambda raw: raw)


def text_bodies(patch: PATCH) -> None:
    """What is not UTF-8 is sent as if it were."""
    patch.setattr(codec, "b64encode", lambda raw: raw[:-1].hex().encode())


def no_mac(patch: PATCH) -> None:
    """The signature is not compared."""
    patch.setattr(Secret, "verify", lambda self, content_hash, signature: True)


def half_mac(patch: PATCH) -> None:
    """Only the beginning of the signature is compared, without case."""
    patch.setattr(
        Secret,
        "verify",
        lambda self, content_hash, signature: self.tag(content_hash)[:8].lower() == signature[:8].lower(),
    )


def no_hash(patch: PATCH) -> None:
    """The content is not hashed."""
    patch.setattr(verification, "check_hash", lambda fields: None)


def any_spelling(patch: PATCH) -> None:
    """A line may be spelled in any way."""

    def lax(raw: bytes) -> dict[str, Any]:
        try:
            return spelling.arrange(orjson.loads(raw))
        except orjson.JSONDecodeError as error:
            raise spelling.Unacceptable(spelling.EDITED, "not JSON") from error

    patch.setattr(spelling, "read_line", lax)
    patch.setattr(journal_walk, "read_line", lax)


def no_order(patch: PATCH) -> None:
    """Lines may be missing."""

    def lax(self: Any, line: bytes, fields: dict[str, Any]) -> None:
        verification.check_fields(fields, self._keys)
        self._count(fields)

    patch.setattr(journal_walk.Walk, "accept", lax)


def no_chain(patch: PATCH) -> None:
    """The number is looked at, the hash of the record before is not."""

    class Equal(str):
        __hash__ = str.__hash__

        def __ne__(self, other: object) -> bool:
            return False

    accept = journal_walk.Walk.accept

    def lax(self: Any, line: bytes, fields: dict[str, Any]) -> None:
        verification.check_fields(fields, self._keys)
        if fields["log"] is not None:
            fields = fields | {"log": fields["log"] | {"prev": Equal(fields["log"]["prev"])}}
        with PATCH.context() as inner:
            inner.setattr(journal_walk, "check_fields", lambda *_: None)
            accept(self, line, fields)

    patch.setattr(journal_walk.Walk, "accept", lax)


BREAKS: list[tuple[str, Break]] = [
    *[("http_request", each) for each in (unfold, lone_line_feeds, repeated_lengths, old_encodings, short_bodies)],
    *[("http_request", each) for each in (whole_hops, signed_sizes, trailers)],
    *[("http_response", each) for each in (unfold, lone_line_feeds, repeated_lengths, old_encodings, short_bodies)],
    *[("http_response", each) for each in (other_statuses, any_101)],
    *[("authority", each) for each in (few_spellings, names_only, shouting)],
    *[("client_hello", each) for each in (two_names, one_record, any_name)],
    *[("governance_answer", each) for each in (last_member, any_case, no_question)],
    *[("governance_question", each) for each in (open_credentials, open_parameters, text_bodies)],
    *[("certificate", each) for each in (no_mac, half_mac, no_hash, any_spelling)],
    *[("journal", each) for each in (no_mac, half_mac, no_hash, any_spelling, no_order, no_chain)],
]


@pytest.mark.parametrize(("name", "put_in"), BREAKS, ids=[f"{name}-{each.__name__}" for name, each in BREAKS])
def test_the_target_sees_it(name: str, put_in: Break, monkeypatch: PATCH) -> None:
    """A fault of this kind does not get past its target."""
    target = load(name)
    put_in(monkeypatch)
    for number, data in enumerate(seeds_and_mutations(target)):
        try:
            target.examine(data)
        except Exception as error:
            # Of any kind: that is a finding too.
            print(number, type(error).__name__, str(error)[:70], end=" ")
            return
    pytest.fail("the fault is not found")
