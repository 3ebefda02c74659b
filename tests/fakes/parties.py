"""A proxy and its witness, both honest: two journals that agree, to be tampered with by tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eve_proxy.interfaces import ISigner
from eve_proxy.model.certificate import GENESIS, DecisionCertificate, Draft, LogLink, RequestDigest
from eve_proxy.model.verdict import Witness
from eve_proxy.signing.private_key import Ed25519Signer
from eve_proxy.signing.seal import seal, timestamp
from eve_proxy.signing.witness import QUESTION, statement
from tests.fakes.journal import WALL, draft
from tests.fakes.keys import ed25519

PROXY: ISigner = Ed25519Signer(ed25519(1))
WITNESS: ISigner = Ed25519Signer(ed25519(2))
KEYS = [PROXY, WITNESS]
STATUS = {"allow": "ALLOWED", "block": "BLOCKED"}
REQUEST = RequestDigest(method="POST", scheme="https", host="api.example.com", port=443, path_sha256="ab" * 32)


class Chain:
    """One journal: drafts that can still be changed, sealed on demand."""

    def __init__(self, signer: ISigner, log_id: str) -> None:
        self.signer = signer
        self.log_id = log_id
        self.drafts: list[Draft] = []

    def add(self, made: Draft) -> None:
        self.drafts.append(made)

    def note(self, kind: str, number: int, **changes: Any) -> None:
        values = {"verdict": None, "kind": kind, "record": {}, "request": None, "governor": "local", **changes}
        self.add(draft(number, timestamp=timestamp(WALL + number), **values))

    def certificates(self) -> list[DecisionCertificate]:
        made: list[DecisionCertificate] = []
        link = LogLink(id=self.log_id, seq=0, prev=GENESIS)
        for each in self.drafts:
            made.append(seal(each, link, self.signer))
            link = LogLink(id=self.log_id, seq=link.seq + 1, prev=made[-1].content_hash)
        return made

    @property
    def head(self) -> LogLink:
        made = self.certificates()
        if not made:
            return LogLink(id=self.log_id, seq=0, prev=GENESIS)
        return LogLink(id=self.log_id, seq=len(made), prev=made[-1].content_hash)

    def lines(self) -> list[bytes]:
        return [certificate.line + b"\n" for certificate in self.certificates()]


class Parties:
    """Decisions one after the other; both journals know of each."""

    def __init__(self) -> None:
        self.proxy = Chain(PROXY, "log_00000000000000aa")
        self.witness = Chain(WITNESS, "log_00000000000000bb")
        self.proxy.note("session_open", 900)
        self.witness.note("session_open", 900)

    def ask(self, number: int, verdict: str = "allow", head: LogLink | None = None) -> Witness:
        """The witness answers question ``number`` and writes it down."""
        head, status, name = head or self.proxy.head, STATUS[verdict], f"cert_{number:016x}"
        signature = WITNESS.sign(statement(name, REQUEST.to_dict(), status, head.to_dict()))
        question = {"request_id": name, "status": status, "log": head.to_dict(), "signature": signature}
        record = draft(
            0xA000 + number, verdict=verdict, timestamp=timestamp(WALL + 1000 + number), request=REQUEST,
            governor="local", record={QUESTION: question},
        )  # fmt: skip
        self.witness.add(record)
        return Witness(seq=head.seq, prev=head.prev, key_id=WITNESS.key_id, signature=signature)

    def record(self, number: int, verdict: str = "allow", witness: Witness | None = None, **changes: Any) -> None:
        """The proxy writes decision ``number`` down."""
        values = {"governor": "governor.example", "request": REQUEST, "witness": witness, **changes}
        self.proxy.add(draft(number, verdict=verdict, timestamp=timestamp(WALL + 1000 + number), **values))

    def decide(self, number: int, verdict: str = "allow") -> None:
        self.record(number, verdict, self.ask(number, verdict))

    def close(self) -> None:
        self.proxy.note("session_close", 9000)
        self.witness.note("session_close", 9000)


def two_parties(decisions: int = 4) -> Parties:
    """Decisions 1 to ``decisions``, every third one a block, and both journals closed."""
    parties = Parties()
    for number in range(1, decisions + 1):
        parties.decide(number, "block" if number % 3 == 0 else "allow")
    parties.close()
    return parties


def without_witness(certificate: Draft) -> Draft:
    return replace(certificate, witness=None)
