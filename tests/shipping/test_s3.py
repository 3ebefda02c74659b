"""The S3 store over a bucket in memory; over a real server: tests/integration/test_shipping.py."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.shipping.s3 import Retention, S3Store, make_client
from eve_proxy.shipping.store import Batch, StoreMoved, StoreRefused, StoreUnavailable
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET, FakeClock

LOG = link().id
RULE = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}}


def failed(code: str, status: int, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)  # type: ignore[typeddict-item]


class Bucket:
    """A boto3 client with one bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.put: list[dict[str, Any]] = []
        self.lock: Any = RULE
        self.error: Exception | None = None
        self.listed = 0

    def get_object_lock_configuration(self, **_: Any) -> Any:
        self._fail()
        if self.lock is None:
            raise failed("ObjectLockConfigurationNotFoundError", 404, "GetObjectLockConfiguration")
        return {"ObjectLockConfiguration": self.lock}

    def list_objects_v2(self, Prefix: str, MaxKeys: int, StartAfter: str = "", **_: Any) -> Any:
        self._fail()
        self.listed += 1
        names = [name for name in sorted(self.objects) if name.startswith(Prefix) and name > StartAfter]
        return {"Contents": [{"Key": name} for name in names[:MaxKeys]]}

    def get_object(self, Key: str, **_: Any) -> Any:
        self._fail()
        return {"Body": io.BytesIO(self.objects[Key])}

    def put_object(self, Key: str, Body: bytes, **options: Any) -> None:
        self._fail()
        assert options["IfNoneMatch"] == "*"
        if Key in self.objects:
            raise failed("PreconditionFailed", 412, "PutObject")
        self.put.append(options)
        self.objects[Key] = Body

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        pass


def lines(count: int) -> tuple[list[bytes], list[Any]]:
    """A chain, and the place of each record and of the one behind the last."""
    made: list[bytes] = []
    places = [link()]
    for number in range(count):
        certificate = seal(draft(number), places[-1], HmacSigner(SECRET))
        made.append(certificate.line + b"\n")
        places.append(link(number + 1, certificate.content_hash))
    return made, places


def batch(start: int, end: int) -> Batch:
    made, places = lines(end)
    return Batch(first=places[start], following=places[end], lines=tuple(made[start:end]))


def store(bucket: Bucket, **options: Any) -> S3Store:
    return S3Store(bucket, "b", prefix="eve/", clock=FakeClock(), **options)


def test_objects_are_named_by_their_first_record() -> None:
    """Names sort as the chain does, and the end is read from the last object."""
    bucket = Bucket()
    target = store(bucket)
    assert target.end(LOG) is None
    target.append(batch(0, 3))
    target.append(batch(3, 4))
    assert sorted(bucket.objects) == [f"eve/{LOG}/{number:020d}.jsonl" for number in (0, 3)]
    assert target.end(LOG) == batch(3, 4).following
    assert b"".join(bucket.objects[name] for name in sorted(bucket.objects)) == b"".join(lines(4)[0])


@given(st.lists(st.integers(1, 1 << 40), min_size=1, max_size=30, unique=True))
def test_the_last_object_is_found_among_any(numbers: list[int]) -> None:
    """By some sixty questions, not by listing years of objects."""
    bucket = Bucket()
    bucket.objects = {f"eve/{LOG}/{number:020d}.jsonl": b"" for number in numbers}
    bucket.objects["eve/log_ffffffffffffffff/00000000000000000000.jsonl"] = b""
    assert store(bucket)._last_first(LOG) == max(numbers)
    assert bucket.listed < 120


def test_nothing_is_written_over() -> None:
    """A name that is taken means that the end is elsewhere."""
    bucket = Bucket()
    store(bucket).append(batch(0, 2))
    with pytest.raises(StoreMoved):
        store(bucket).append(batch(0, 1))
    bucket.error = failed("ConditionalRequestConflict", 409, "PutObject")
    with pytest.raises(StoreMoved):
        store(bucket).append(batch(2, 3))


def test_retention_of_each_object() -> None:
    """Asked for, it is counted from now; else the bucket's default holds."""
    bucket = Bucket()
    store(bucket).append(batch(0, 1))
    assert "ObjectLockMode" not in bucket.put[0]
    bucket.objects.clear()
    store(bucket, retention=Retention(mode="GOVERNANCE", days=7)).append(batch(0, 1))
    options = bucket.put[1]
    assert options["ObjectLockMode"] == "GOVERNANCE"
    assert (options["ObjectLockRetainUntilDate"].timestamp() - FakeClock().wall()) == 7 * 86400


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        (None, "no Object Lock"),
        ({"ObjectLockEnabled": "Disabled"}, "no Object Lock"),
        ({"ObjectLockEnabled": "Enabled"}, "--retain-days"),
    ],
)
def test_a_bucket_that_does_not_keep_what_it_gets(lock: Any, said: str) -> None:
    """It is refused before the first object; with a retention of one's own a default is not needed."""
    bucket = Bucket()
    bucket.lock = lock
    with pytest.raises(StoreRefused, match=said):
        store(bucket).end(LOG)
    assert store(bucket, locked=False).end(LOG) is None
    if lock is not None and lock["ObjectLockEnabled"] == "Enabled":
        assert store(bucket, retention=Retention(mode="COMPLIANCE", days=1)).end(LOG) is None


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (failed("SlowDown", 503, "PutObject"), StoreUnavailable),
        (failed("InternalError", 500, "PutObject"), StoreUnavailable),
        (failed("TooManyRequests", 429, "PutObject"), StoreUnavailable),
        (EndpointConnectionError(endpoint_url="http://x"), StoreUnavailable),
        (NoCredentialsError(), StoreRefused),
        (failed("AccessDenied", 403, "PutObject"), StoreRefused),
        (failed("NoSuchBucket", 404, "PutObject"), StoreRefused),
    ],
)
def test_what_helps(error: Exception, becomes: type[Exception]) -> None:
    """Waiting helps against outages, and not against a missing permission."""
    bucket = Bucket()
    target = store(bucket)
    target.end(LOG)
    bucket.error = error
    with pytest.raises(becomes):
        target.append(batch(0, 1))
    with pytest.raises(becomes):
        target.end(LOG)


@pytest.mark.parametrize("content", [b"", b"not ours\n", b"{}\n"])
def test_objects_that_are_not_ours(content: bytes) -> None:
    """Somebody else's object under our prefix is not built upon."""
    bucket = Bucket()
    bucket.objects[f"eve/{LOG}/{0:020d}.jsonl"] = content
    with pytest.raises(StoreRefused, match="not an object of ours"):
        store(bucket).end(LOG)
    bucket.objects = {f"eve/{LOG}/readme": content}
    with pytest.raises(StoreRefused, match="not an object of ours"):
        store(bucket).end(LOG)
    bucket.objects = {f"eve/{LOG}/{5:020d}.jsonl": lines(2)[0][1]}
    with pytest.raises(StoreRefused, match="does not hold what its name says"):
        store(bucket).end(LOG)


def test_an_endpoint_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing mistake in the URL is said as such."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "x")
    with pytest.raises(StoreRefused, match="no client for S3"):
        make_client("not a url")
