"""What a witness signs."""

from __future__ import annotations

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.signing.spelling import read_line
from eve_proxy.signing.witness import claims, statement
from tests.fakes.parties import WITNESS, two_parties

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXT, TEXT, TEXT, st.integers(0, 2**53 - 1))
def test_it_is_the_jcs_of_the_document(request_id: str, host: str, status: str, seq: int) -> None:
    """Whoever builds a service signs with any RFC 8785 library, and it fits."""
    request = {"method": "POST", "host": host, "port": 443, "path_sha256": None}
    log = {"id": "log_1", "seq": seq, "prev": "sha256-00"}
    members = {"request_id": request_id, "request": request, "status": status, "log": log}
    assert statement(request_id, request, status, log).encode() == rfc8785.dumps(members)


def test_a_certificate_tells_what_was_signed() -> None:
    """An auditor verifies the witness's signature with the certificate alone, and its status by trying both."""
    fields = read_line(two_parties(3).proxy.lines()[3][:-1])
    assert fields["verdict"] == "block"
    texts = claims(fields)
    assert len(texts) == 2
    assert [WITNESS.verify(text, fields["witness"]["signature"]) for text in texts] == [True, False]
    assert claims({**fields, "verdict": "fail_closed"}) == ()
