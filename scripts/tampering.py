"""What can be done to a journal, and what a verifier must answer to each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from vectors import LOG, decision, lines, one_session, opened, rotations, sealed, several_sessions

from eve_proxy.interfaces import ISigner
from eve_proxy.signing import secret as secret_module
from eve_proxy.signing.canonical import content_hash
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.public_key import P256_ORDER
from eve_proxy.signing.seal import seal

OTHER_LOG = "log_ffeeddccbbaa9988"
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493  # RFC 8032 section 5.1
SECRET_KEY = {"file": "keys/hmac.txt", "as": "secret"}
PUBLIC_KEYS = {"file": "keys/jwks.json", "as": "jwks"}
PRIVATE_KEY = {"file": "keys/private.pem", "as": "pem"}
VETO = 2  # the line that most twins are about, counted from 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """One of the three, with what its twins need.

    :ivar keys: what a verifier is given, as the manifest says it.
    :ivar document: bytes of a published key, for those who take it for a secret.
    """

    name: str
    signer: ISigner
    other: ISigner
    keys: list[dict[str, str]]
    document: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """A journal and what a verifier must answer. ``line`` counts from 1."""

    name: str
    about: str
    lines: Sequence[bytes]
    exit: int
    fault: str | None = None
    line: int | None = None
    keys: list[dict[str, str]] | None = None
    require_external: bool = False


class Claimed:
    """A signer that says it is another key, or makes other signatures than its own."""

    def __init__(self, signer: ISigner, key_id: str, algorithm: str, change: Callable[[str], str] = str) -> None:
        self._signer = signer
        self._change = change
        self.key_id = key_id
        self.algorithm = algorithm

    def sign(self, content_hash: str) -> str:
        return self._change(self._signer.sign(content_hash))


def journals(algorithm: Algorithm) -> list[Journal]:
    """The whole journals of one algorithm, and everything that can be done to them."""
    signer, other = algorithm.signer, algorithm.other
    drafts = one_session()
    certificates = sealed(drafts, signer)
    good = lines(certificates)
    elsewhere = lines(sealed(drafts, signer, OTHER_LOG))
    history = lines(sealed([drafts[0], decision(1, reason="another history"), *drafts[2:]], signer))
    sessions = lines(sealed(several_sessions(), signer))
    placeless = seal(decision(9, reason="the journal could not be written"), None, signer).line + b"\n"
    veto = good[VETO]
    garbled = lines(sealed([*drafts[:VETO], replace(drafts[VETO], reason="\ufffd"), *drafts[VETO + 1 :]], signer))

    def put(line: bytes, number: int = VETO) -> list[bytes]:
        return [*good[:number], line, *good[number + 1 :]]

    def edited(old: bytes, new: bytes) -> list[bytes]:
        assert old in veto
        return put(veto.replace(old, new, 1))

    def resigned(by: Any, count: int = 1) -> list[bytes]:
        """``count`` lines from the veto on, signed by another, each in its place."""
        signers = [by if VETO <= number < VETO + count else signer for number in range(len(drafts))]
        return lines(sealed(drafts, signers))

    changed = replace(drafts[VETO], verdict="allow")
    forged = json.loads(seal(changed, certificates[VETO].log, signer).line)
    forged["signature"] = json.loads(veto)["signature"]
    rehashed = json.dumps(forged, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    reordered = dict(reversed(json.loads(veto).items()))
    from_document = _careless_signer(algorithm.document)
    claimed = Claimed(other, signer.key_id, signer.algorithm)
    hmac_claimed = Claimed(from_document, signer.key_id, signer.algorithm)
    upper = {"change": lambda signature: signature.rpartition("-")[0] + "-" + signature.rpartition("-")[2].upper()}
    found = [
        Journal(name="journal", about="one session, every verdict", lines=good, exit=0),
        Journal(name="sessions", about="three sessions, one of them killed; many kinds", lines=sessions, exit=0),
        Journal(name="external", about="only the journal itself vouches for its end, and the auditor wants more",
                lines=good, exit=3, fault="self-proven", require_external=True),
        Journal(name="edited", about="a verdict was changed", lines=edited(b'"block"', b'"allow"'),
                exit=1, fault="edited", line=3),
        Journal(name="edited-link", about="a number in the chain was changed", lines=edited(b'"seq":2', b'"seq":3'),
                exit=1, fault="edited", line=3),
        Journal(name="edited-type", about="a number became a text", lines=edited(b":443,", b':"443",'),
                exit=1, fault="edited", line=3),
        Journal(name="edited-first", about="the first line was changed",
                lines=[good[0].replace(b"batch", b"off", 1), *good[1:]], exit=1, fault="edited", line=1),
        Journal(name="edited-last", about="the last line was changed",
                lines=[*good[:-1], good[-1].replace(b"closed", b"opened", 1)], exit=1, fault="edited", line=7),
        Journal(name="field-removed", about="a field is missing", lines=edited(b'"parent":null,', b""),
                exit=1, fault="edited", line=3),
        Journal(name="field-added", about="a field too many", lines=edited(b'"parent"', b'"note":null,"parent"'),
                exit=1, fault="edited", line=3),
        Journal(name="rehashed", about="a verdict was changed and the hash made to match; the signature is the old one",
                lines=put(rehashed), exit=1, fault="edited", line=3),
        Journal(name="signature-edited", about="one digit of a signature was changed",
                lines=put(_other_last_digit(veto)), exit=1, fault="edited", line=3),
        Journal(name="hash-edited", about="one digit of the last line's stated hash was changed, the values were not",
                lines=[*good[:-1], _other_last_digit(good[-1], "content_hash")], exit=1, fault="edited", line=7),
        Journal(name="signature-upper", about="the same signature in upper-case hex: it has one spelling",
                lines=resigned(Claimed(signer, signer.key_id, signer.algorithm, **upper)),
                exit=1, fault="edited", line=3),
        Journal(name="respaced", about="a space between the same values", lines=edited(b'":"block"', b'": "block"'),
                exit=1, fault="respaced", line=3),
        Journal(name="respaced-end", about="a space behind a line", lines=put(veto.replace(b"\n", b" \n")),
                exit=1, fault="respaced", line=3),
        Journal(name="carriage-return", about="a line end of another system", lines=put(veto.replace(b"\n", b"\r\n")),
                exit=1, fault="respaced", line=3),
        Journal(name="reordered", about="the same values in another order",
                lines=put(json.dumps(reordered, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"),
                exit=1, fault="respaced", line=3),
        Journal(name="escaped", about="the same text with an escape", lines=edited(b'"block"', b'"\\u0062lock"'),
                exit=1, fault="respaced", line=3),
        Journal(name="number-respelled", about="the same number in other digits", lines=edited(b"1.412", b"1.4120"),
                exit=1, fault="respaced", line=3),
        Journal(name="number-exponent", about="the same number with an exponent", lines=edited(b":443,", b":4.43e2,"),
                exit=1, fault="respaced", line=3),
        Journal(name="number-precise", about="a number with more than three decimals",
                lines=edited(b"1.412", b"1.4121"), exit=1, fault="edited", line=3),
        Journal(name="duplicate-keys", about="two verdicts in one line, the signed one last",
                lines=edited(b'"verdict":"block"', b'"verdict":"allow","verdict":"block"'),
                exit=1, fault="duplicate-keys", line=3),
        Journal(name="duplicate-keys-nested", about="two hosts in one request, the signed one last",
                lines=edited(b'"host":', b'"host":"exfil.example","host":'), exit=1, fault="duplicate-keys", line=3),
        Journal(name="surrogate", about="half of a surrogate pair: no text", lines=edited(b'"706"', b'"\\ud800"'),
                exit=1, fault="edited", line=3),
        Journal(name="not-utf-8", about="bytes that are no text", lines=edited(b'"706"', b'"\xff"'),
                exit=1, fault="edited", line=3),
        Journal(name="replacement-character",
                about="a replacement character became a byte that lax decoders turn into one",
                lines=[line.replace("\ufffd".encode(), b"\xff") for line in garbled],
                exit=1, fault="edited", line=3),
        Journal(name="byte-order-mark", about="a byte order mark before the first line",
                lines=[b"\xef\xbb\xbf" + good[0], *good[1:]], exit=1, fault="edited", line=1),
        Journal(name="garbage", about="a line that is no JSON", lines=[*good[:3], b"garbage\n", *good[3:]],
                exit=1, fault="edited", line=4),
        Journal(name="blank", about="an empty line", lines=[*good[:3], b"\n", *good[3:]],
                exit=1, fault="edited", line=4),
        Journal(name="endless", about="a line longer than any record",
                lines=[*good[:3], b"x" * 9000 + b"\n", *good[3:]], exit=1, fault="edited", line=4),
        Journal(name="dropped", about="a line is missing", lines=good[:2] + good[3:], exit=1, fault="dropped", line=3),
        Journal(name="dropped-first", about="the first line is missing", lines=good[1:],
                exit=1, fault="dropped", line=1),
        Journal(name="dropped-several", about="three lines are missing", lines=good[:2] + good[5:],
                exit=1, fault="dropped", line=3),
        Journal(name="swapped", about="two lines changed places", lines=[*good[:2], good[3], good[2], *good[4:]],
                exit=1, fault="swapped", line=3),
        Journal(name="swapped-far", about="a line was moved to the end", lines=[*good[:2], *good[3:], good[2]],
                exit=1, fault="swapped", line=3),
        Journal(name="duplicated", about="a line twice", lines=[*good[:3], good[2], *good[3:]],
                exit=1, fault="duplicated", line=4),
        Journal(name="duplicated-end", about="the last line twice", lines=[*good, good[-1]],
                exit=1, fault="duplicated", line=8),
        Journal(name="spliced", about="the rest of another journal of the same key",
                lines=[*good[:3], *elsewhere[3:]], exit=1, fault="inserted", line=4),
        Journal(name="forked", about="the rest of another history of the same journal, which the same key signed",
                lines=[*good[:2], *history[2:]], exit=1, fault="inserted", line=3),
        Journal(name="renamed", about="from a line on another journal's id, in the same chain: the key's holder did it",
                lines=lines(sealed(drafts, signer, [OTHER_LOG if at >= 3 else LOG for at in range(len(drafts))])),
                exit=1, fault="inserted", line=4),
        Journal(name="placeless", about="a certificate that never had a line",
                lines=[*good[:3], placeless, *good[3:]], exit=1, fault="inserted", line=4),
        Journal(name="truncated", about="the end is missing", lines=good[:-2], exit=3, fault="truncated"),
        Journal(name="torn", about="the file ends within a line", lines=[*good[:-1], good[-1][:100]],
                exit=3, fault="truncated", line=7),
        Journal(name="torn-newline", about="only the last newline is missing", lines=[*good[:-1], good[-1][:-1]],
                exit=3, fault="truncated", line=7),
        Journal(name="empty", about="nothing at all", lines=[], exit=3, fault="truncated"),
        Journal(name="signed-imprecise", about="the key's holder signed a number with more than three decimals",
                lines=[*good[:-1], _signed(good[-1], signer, latency_ms=1.4121)], exit=1, fault="edited", line=7),
        Journal(name="signed-other-schema", about="the key's holder signed something of another schema",
                lines=[*good[:-1], _signed(good[-1], signer, schema="eve.decision/2")],
                exit=1, fault="edited", line=7),
        Journal(name="signed-unsorted", about="the key's holder signed a record whose keys are not sorted",
                lines=[*good[:-1], _signed(good[-1], signer, record={"b": 1, "a": 2})],
                exit=1, fault="respaced", line=7),
        Journal(name="wrong-key", about="another key of the same algorithm signed everything",
                lines=lines(sealed(drafts, other)), exit=4, fault="untrusted-key", line=1),
        Journal(name="resigned", about="from a line on, another key signed: its holder wrote the rest anew",
                lines=resigned(other, 99), exit=4, fault="untrusted-key", line=3),
        Journal(name="resigned-claimed", about="another key signed, and says it is the trusted one",
                lines=resigned(claimed, 99), exit=1, fault="edited", line=3),
        Journal(name="document-hmac", about="HMAC made with the text of a published key: everyone could",
                lines=lines(sealed(drafts, from_document)), exit=4, fault="untrusted-key", line=1),
        Journal(name="document-hmac-claimed", about="the same, and says it is the trusted key",
                lines=lines(sealed(drafts, hmac_claimed)), exit=1, fault="edited", line=1),
        Journal(name="no-key", about="a private key is not a key to verify with", lines=good, exit=2,
                keys=[PRIVATE_KEY]),
    ]  # fmt: skip
    if algorithm.name != "hmac":
        relabelled = Claimed(from_document, signer.key_id, "HMAC-SHA256")
        found += [
            Journal(name="document-hmac-relabelled", about="HMAC made with the public key, under that key's own id",
                    lines=lines(sealed(drafts, relabelled)), exit=4, fault="untrusted-key", line=1),
            Journal(name="jwks", about="the same journal, verified with the JWKS of both keys", lines=good, exit=0,
                    keys=[PUBLIC_KEYS]),
        ]  # fmt: skip
    twins: dict[str, tuple[str, Callable[[str], str]]] = {
        "ed25519": ("signature-malleable", _add_the_order),
        "p256": ("signature-malleable", _larger_s),
    }
    if algorithm.name in twins:
        name, change = twins[algorithm.name]
        by = Claimed(signer, signer.key_id, signer.algorithm, change)
        found.append(Journal(name=name, about="the other signature that careless verifiers take for the same",
                             lines=resigned(by), exit=1, fault="edited", line=3))  # fmt: skip
    return found


def rotated(keys: list[ISigner]) -> list[Journal]:
    """A journal whose key changes, and what those who hold only some of its keys can do with it."""
    drafts, signers = rotations(keys)
    first, second, third = keys

    def by(changes: dict[int, ISigner], count: int = len(drafts)) -> list[bytes]:
        return lines(sealed(drafts[:count], [changes.get(at, each) for at, each in enumerate(signers[:count])]))

    every = [SECRET_KEY, PUBLIC_KEYS]
    unnamed = lines(sealed([opened(7) if at == 7 else each for at, each in enumerate(drafts)], signers))
    return [
        Journal(name="journal", about="a secret, Ed25519, P-256, and after a restart the secret again",
                lines=by({}), exit=0, keys=every),
        Journal(name="first-key-only", about="the verifier trusts only the first key", lines=by({}),
                exit=4, fault="untrusted-key", line=4, keys=[SECRET_KEY]),
        Journal(name="unannounced", about="a trusted key signs, which no record announces", lines=by({1: second}),
                exit=1, fault="key-changed", line=2, keys=every),
        Journal(name="retired", about="the key before the rotation signs on", lines=by({3: first}),
                exit=1, fault="key-changed", line=4, keys=every),
        Journal(name="another", about="another trusted key than the one that was named signs", lines=by({3: third}),
                exit=1, fault="key-changed", line=4, keys=every),
        Journal(name="rotation-by-new", about="the new key announces itself", lines=by({2: second}),
                exit=1, fault="key-changed", line=3, keys=every),
        Journal(name="session-unnamed", about="a session with another key that does not say which one was before",
                lines=unnamed, exit=1, fault="key-changed", line=8, keys=every),
        Journal(name="truncated", about="the end is missing right behind a rotation", lines=by({}, 3),
                exit=3, fault="truncated", keys=every),
    ]  # fmt: skip


def _other_last_digit(line: bytes, name: str = "signature") -> bytes:
    text = json.loads(line)[name].encode()
    return line.replace(text, text[:-1] + (b"1" if text[-1:] == b"0" else b"0"))


def _signed(line: bytes, signer: ISigner, **changes: Any) -> bytes:
    """The line with other values, hashed and signed anew, whatever the rules on values say."""
    fields = json.loads(line) | changes
    fields["content_hash"] = content_hash(fields)
    fields["signature"] = signer.sign(fields["content_hash"])
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _careless_signer(secret: bytes) -> HmacSigner:
    """An HMAC signer of what ours refuses as a secret, as a careless implementation would make it."""
    with mock.patch.object(secret_module, "is_key_document", return_value=False):
        return HmacSigner(secret)


def _add_the_order(signature: str) -> str:
    """S + L: the equation still holds, RFC 8032 section 5.1.7 wants it refused."""
    tag, _, digits = signature.rpartition("-")
    raw = bytes.fromhex(digits)
    s = int.from_bytes(raw[32:], "little") + ED25519_ORDER
    return f"{tag}-{(raw[:32] + s.to_bytes(32, 'little')).hex()}"


def _larger_s(signature: str) -> str:
    """N - s: verifies as well, and is not how we spell it."""
    tag, _, digits = signature.rpartition("-")
    r, s = decode_dss_signature(bytes.fromhex(digits))
    return f"{tag}-{encode_dss_signature(r, P256_ORDER - s).hex()}"
