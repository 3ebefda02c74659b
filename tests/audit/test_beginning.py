"""The first records of a session."""

from __future__ import annotations

import os
from pathlib import Path

from eve_proxy import __version__
from eve_proxy.audit.beginning import first_place, link_after, session_open, write_first
from eve_proxy.audit.file import create_file
from eve_proxy.audit.records import Records
from eve_proxy.model.certificate import GENESIS
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from eve_proxy.signing.spelling import read_line
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET, FakeClock, FakeEntropy


def test_the_first_records_are_one_chain_on_the_disk(tmp_path: Path) -> None:
    """The place that comes back is where the next record goes."""
    records = Records(org_id="acme", caller="lib", clock=FakeClock(), entropy=FakeEntropy())
    file, signer = create_file(tmp_path / "j.jsonl"), HmacSigner(SECRET)
    opened = session_open(records, sync="off", previous_key_id="k", damaged={"damaged_file": "x"})
    place = write_first(file, first_place(FakeEntropy()), [opened, draft()], signer)
    lines = (tmp_path / "j.jsonl").read_bytes().splitlines()
    first, second = map(read_line, lines)
    assert first["log"] == {"id": "log_0000000000000001", "seq": 0, "prev": GENESIS}
    assert second["log"]["prev"] == first["content_hash"]
    assert (place.offset, place.last) == (file.size(), lines[1])
    assert place.next.to_dict() == {"id": "log_0000000000000001", "seq": 2, "prev": second["content_hash"]}
    assert first["record"] == {
        "config": None, "damaged_file": "x", "pid": os.getpid(), "previous_key_id": "k", "sync": "off",
        "version": __version__,
    }  # fmt: skip
    file.close()


def test_the_link_after_a_record() -> None:
    """Same journal, next number, its hash."""
    certificate = seal(draft(), link(seq=4), HmacSigner(SECRET))
    after = link_after(certificate)
    assert (after.id, after.seq, after.prev) == (link().id, 5, certificate.content_hash)
