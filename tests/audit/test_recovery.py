"""Reading tails and taking a file up again, in the corners that whole sessions rarely reach."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from eve_proxy.audit.file import OsFile, open_file
from eve_proxy.audit.recovery import JournalReplaced, Place, TailDamaged, measure, read_tail, take_up
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from eve_proxy.signing.secret import Secret
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET

KEY = Secret(SECRET)


def written(path: Path, content: bytes) -> OsFile:
    path.write_bytes(content)
    return open_file(path)


def chain(count: int, **changes: object) -> list[bytes]:
    lines: list[bytes] = []
    at = link()
    for number in range(count):
        certificate = seal(draft(number, **changes), at, HmacSigner(SECRET))
        lines.append(certificate.line)
        at = link(number + 1, certificate.content_hash)
    return lines


def test_empty_file(tmp_path: Path) -> None:
    """A new journal has no place yet and nothing torn."""
    tail = read_tail(written(tmp_path / "j", b""), KEY)
    assert (tail.place, tail.key_id, tail.torn) == (None, None, None)


@pytest.mark.parametrize("reason", ["x", "x" * 200, "\U0001f600" * 30])
@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_place_after_the_last_record(tmp_path: Path, count: int, reason: str) -> None:
    """The next record continues exactly where the last one ended, however long the lines are."""
    lines = chain(count, reason=reason)
    content = b"\n".join(lines) + b"\n"
    tail = read_tail(written(tmp_path / "j", content), KEY)
    assert tail.place is not None
    assert (tail.place.offset, tail.place.last, tail.place.next.seq) == (len(content), lines[-1], count)


def test_certificate_without_a_place_is_no_tail(tmp_path: Path) -> None:
    """A certificate that was only ever sent to a client is not taken for a journal's end."""
    line = seal(draft(), None, HmacSigner(SECRET)).line
    with pytest.raises(TailDamaged):
        read_tail(written(tmp_path / "j", line + b"\n"), KEY)
    with pytest.raises(TailDamaged):
        read_tail(written(tmp_path / "j", line + b"\n" + chain(2)[1] + b"\n"), KEY)


def test_measure_reads_in_blocks(tmp_path: Path) -> None:
    """A torn tail of any size is measured."""
    content = bytes(range(256)) * 1000
    cut = measure(written(tmp_path / "j", content), 1, len(content))
    assert (cut.size, cut.sha256) == (len(content) - 1, hashlib.sha256(content[1:]).hexdigest())


def test_take_up_closes_what_it_refuses(tmp_path: Path) -> None:
    """Trying again for hours leaks no descriptors."""
    path = tmp_path / "j"
    file = written(path, b"short\n")
    place = Place(offset=100, last=b"x", next=link())
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(JournalReplaced):
            take_up(open_file, path, file, file.identity(), place)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
