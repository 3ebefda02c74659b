"""What a decision service reads of a request, what it may change, and that nobody waits for another's judgement."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.fakes.governor import FakeGovernor
from tests.fakes.origin import Origin
from tests.integration.client import Answer, ask, connect, get_head, pause, post
from tests.integration.sidecar import Sidecar


@pytest.fixture(scope="module")
def governor() -> Iterator[FakeGovernor]:
    with FakeGovernor() as running:
        yield running


@pytest.fixture(scope="module")
def sidecar(governor: FakeGovernor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with Sidecar(tmp_path_factory.mktemp("sidecar"), EVE_PROXY_GOVERNANCE_URL=governor.url) as running:
        yield running


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.mark.parametrize(("allowed", "status"), [("1", 200), ("0", 451)])
def test_modified(tmp_path: Path, origin: Origin, allowed: str, status: int) -> None:
    """MODIFIED changes what the origin gets when EVE_PROXY_ALLOW_MODIFY=1, with both digests; else it is a block."""
    with (
        FakeGovernor("modify") as governor,
        Sidecar(tmp_path, EVE_PROXY_GOVERNANCE_URL=governor.url, EVE_PROXY_ALLOW_MODIFY=allowed) as sidecar,
    ):
        answer = post(sidecar, origin, b"the original body")
        assert answer.status == status
        assert connect(sidecar, origin).status == 451, "a tunnel has nothing to modify"
    if status == 451:
        assert origin.reached() == 0
        return
    head, _, body = origin.received.partition(b"\r\n\r\n")
    assert body == b"modified"
    assert b"\r\nContent-Length: 8" in head
    assert answer.certificate is not None
    assert answer.certificate["record"]["modified"] == [
        {
            "field": "body",
            "before_sha256": sha256(b"the original body").hexdigest(),
            "after_sha256": sha256(b"modified").hexdigest(),
        }
    ]


def test_compressed_bodies_are_judged_decoded(sidecar: Sidecar, governor: FakeGovernor, origin: Origin) -> None:
    """The governor reads the text, the origin gets the client's bytes; what does not decode, or too far, is refused."""
    packed = gzip.compress(b"a text in which BLOCKME can be read")
    assert post(sidecar, origin, packed, "/", "Content-Encoding: gzip").status == 451
    assert origin.reached() == 0
    packed = gzip.compress(b"a harmless text")
    assert post(sidecar, origin, packed, "/", "Content-Encoding: gzip").status == 200
    assert governor.questions()[-1]["question"]["proposed_action"]["body"] == "a harmless text"
    assert origin.received.endswith(packed)
    asked = len(governor.questions())
    for body in (b"not gzip", packed[:-4], gzip.compress(bytes(11 * 1024 * 1024))):
        answer = post(sidecar, origin, body, "/", "Content-Encoding: gzip")
        assert (answer.status, answer.refusal["reason"]) == (451, "body not inspectable")
    assert len(governor.questions()) == asked
    assert origin.reached() == 1


def test_credentials_are_redacted_and_comparable(sidecar: Sidecar, governor: FakeGovernor, origin: Origin) -> None:
    """The governor can tell whether two credentials are equal, and never what they are; the origin gets them."""
    start = len(governor.questions())
    for secret in ("first-secret", "first-secret", "other-secret"):
        fields = (f"Authorization: {secret}", f"Cookie: {secret}", f"X-Api-Key: {secret}")
        assert post(sidecar, origin, b"{}", f"/p?q=plain&api_key={secret}&sig={secret}", *fields).status == 200
    questions = [entry["question"] for entry in governor.questions()[start:]]
    assert "-secret" not in json.dumps(questions)
    assert origin.received.count(b"first-secret") == 10
    seen = []
    for question in questions:
        action = question["proposed_action"]
        assert "q=plain" in action["path"]
        values = {name: value for name, value in action["headers"] if name in ("authorization", "cookie", "x-api-key")}
        assert all(value.startswith("hmac-") for value in values.values())
        seen.append((values["authorization"], values["cookie"], values["x-api-key"], action["path"]))
    assert seen[0] == seen[1]
    assert all(one != other for one, other in zip(seen[0], seen[2], strict=True))


# -- a hostile body makes nobody else wait ---------------------------------------------------------------------

MIB = 1024 * 1024
HOSTILE: dict[str, Callable[[], tuple[bytes, tuple[str, ...]]]] = {
    "text": lambda: (b"join the fragments: 'ig' + 'no' + 're' reverse base64 " * (10 * MIB // 55), ()),
    "nested": lambda: (b'{"a":[' * (5 * MIB // 6) + b'"x"' + b"]}" * (5 * MIB // 6), ()),
    "strings": lambda: (json.dumps({"messages": ["concatenate 'a' + 'b'"] * (10 * MIB // 30)}).encode(), ()),
    "numbers": lambda: (b"[" + b"72," * (3 * MIB) + b"33]", ()),
    "letters": lambda: (b"join and reverse: e r o n g i, e-r-o-n-g-i, 'i' + 'g' + 'n'; " * (10 * MIB // 61), ()),
    "base64": lambda: (b"decode base64: " + b"QUJD" * (2 * MIB), ()),
    "binary": lambda: (os.urandom(10 * MIB - 1), ()),
    "bomb": lambda: (gzip.compress(b"decode: 0x41 " * (10 * MIB // 14)), ("Content-Encoding: gzip",)),
}


@pytest.fixture(scope="module", params=["embedded", "hosted"])
def judging(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with FakeGovernor() as governor:
        url = "embedded" if request.param == "embedded" else governor.url
        with Sidecar(tmp_path_factory.mktemp("judging"), EVE_PROXY_GOVERNANCE_URL=url) as sidecar:
            yield sidecar


@pytest.mark.parametrize("kind", HOSTILE)
def test_another_client_does_not_wait_while_a_hostile_body_is_judged(
    judging: Sidecar, origin: Origin, kind: str
) -> None:
    """10 MiB made to be slow to judge: other clients are served meanwhile, and the sender gets its answer in time."""
    body, fields = HOSTILE[kind]()
    done = threading.Event()
    hostile: list[Answer] = []

    def send() -> None:
        try:
            hostile.append(post(judging, origin, body, "/", *fields))
        finally:
            done.set()

    thread = threading.Thread(target=send)
    thread.start()
    waits = []
    while not done.is_set():
        answer = ask(judging, get_head(origin.netloc))
        assert answer.status == 200
        waits.append(answer.seconds)
        pause(0.02)
    thread.join()
    sender = hostile[0]
    print(f"{len(waits)} others waited {max(waits):.3f} s at most; {sender.status} after {sender.seconds:.3f} s")
    assert max(waits) < 1.5
    assert sender.status in (200, 451, 503)
    assert sender.seconds < 4.5  # the deadline, its slack, and what sending 10 MiB takes here
