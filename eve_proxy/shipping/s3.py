"""An S3 bucket with Object Lock as a store. Needs boto3: ``pip install 'eve-proxy[s3]'``.

An object holds consecutive lines of one log, and its name
is the number of the first, ``<prefix><log id>/<number>.jsonl``.
Each begins where the one before ends, and none is written over (``If-None-Match``): that is exactly once, also when
several shippers run or an answer was lost. Together they are the journal, and a copy of them verifies as a directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from eve_proxy.interfaces import IClock
from eve_proxy.model.certificate import LogLink
from eve_proxy.shipping.store import Batch, StoreMoved, StoreRefused, StoreUnavailable
from eve_proxy.signing.spelling import Unacceptable, read_line

_DIGITS: Final = 20
# No number is as large (RFC 7493 section 2.2).
_BEYOND: Final = 1 << 53
# Tried again by the shipper, which asks first what became of the last attempt.
_CONFIG: Final = Config(
    connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 1}, request_checksum_calculation="when_required"
)
_TAKEN: Final = (409, 412)
_LATER: Final = (408, 425, 429)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What each object is locked with; without one, the bucket's default retention must do it.

    :ivar mode: GOVERNANCE or COMPLIANCE.
    """

    mode: str
    days: int


class S3Store:
    """One bucket.

    :param client: boto3's; its credentials, region and endpoint come from the environment (``make_client``).
    :param prefix: of every name, such as ``eve-proxy/``.
    :param locked: the bucket must keep what it gets; seen to before the first object.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        *,
        prefix: str,
        clock: IClock,
        retention: Retention | None = None,
        locked: bool = True,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._clock = clock
        self._retention = retention
        self._unchecked = locked

    def end(self, log_id: str) -> LogLink | None:
        """See ``Store``: the last line of the last object says it."""
        if self._unchecked:
            self._check_lock()
        first = self._last_first(log_id)
        if first is None:
            return None
        name = self._name(log_id, first)
        body = self._call("get_object", Key=name)["Body"]
        try:
            lines: list[bytes] = body.read().splitlines()
            fields = read_line(lines[-1])
        except (Unacceptable, IndexError) as error:
            raise StoreRefused(f"s3://{self._bucket}/{name} is not an object of ours") from error
        except (BotoCoreError, OSError) as error:
            raise StoreUnavailable(str(error)) from error
        log = fields["log"]
        if log is None or log["id"] != log_id or log["seq"] != first + len(lines) - 1:
            raise StoreRefused(f"s3://{self._bucket}/{name} does not hold what its name says")
        return LogLink(id=log_id, seq=log["seq"] + 1, prev=fields["content_hash"])

    def append(self, batch: Batch) -> None:
        """See ``Store``."""
        arguments: dict[str, Any] = {
            "Key": self._name(batch.first.id, batch.first.seq),
            "Body": b"".join(batch.lines),
            "ContentType": "application/x-ndjson",
            "ChecksumAlgorithm": "SHA256",  # Object Lock asks for a digest of the body
            "IfNoneMatch": "*",
        }
        if self._retention is not None:
            until = datetime.fromtimestamp(self._clock.wall(), UTC) + timedelta(days=self._retention.days)
            arguments |= {"ObjectLockMode": self._retention.mode, "ObjectLockRetainUntilDate": until}
        self._call("put_object", **arguments)

    def close(self) -> None:
        """See ``Store``."""
        self._client.close()

    def _check_lock(self) -> None:
        try:
            found = self._call("get_object_lock_configuration")["ObjectLockConfiguration"]
        except _NotThere as error:
            if error.code == "NoSuchBucket":
                raise StoreRefused(f"there is no bucket {self._bucket}") from error
            found = {}
        if found.get("ObjectLockEnabled") != "Enabled":
            raise StoreRefused(f"the bucket {self._bucket} has no Object Lock: its objects could be deleted")
        if self._retention is None and "Rule" not in found:
            raise StoreRefused(
                f"the bucket {self._bucket} has no default retention: set one, or say how long with --retain-days"
            )
        self._unchecked = False

    def _name(self, log_id: str, first: int) -> str:
        return f"{self._prefix}{log_id}/{first:0{_DIGITS}d}.jsonl"

    def _last_first(self, log_id: str) -> int | None:
        """The number in the last object's name. S3 lists from the front only, so it is searched for by halves."""
        found, low, high = None, -1, _BEYOND
        while low < high:
            middle = (low + high) // 2
            after = self._first_after(log_id, middle)
            if after is None:
                high = middle
            else:
                found = low = after
        return found

    def _first_after(self, log_id: str, number: int) -> int | None:
        folder = f"{self._prefix}{log_id}/"
        arguments = {"StartAfter": self._name(log_id, number)} if number >= 0 else {}
        listed = self._call("list_objects_v2", Prefix=folder, MaxKeys=1, **arguments)
        for entry in listed.get("Contents", []):
            digits = entry["Key"].removeprefix(folder).removesuffix(".jsonl")
            if len(digits) != _DIGITS or not digits.isdigit():
                raise StoreRefused(f"s3://{self._bucket}/{entry['Key']} is not an object of ours")
            return int(digits)
        return None

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, operation)(Bucket=self._bucket, **arguments)
        except ClientError as error:
            raise _translated(error) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise StoreRefused(f"{error}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile") from error
        except BotoCoreError as error:
            raise StoreUnavailable(str(error)) from error


class _NotThere(StoreRefused):
    """What was asked for is not there (404).

    :ivar code: S3's word for it.
    """

    def __init__(self, code: str, said: str) -> None:
        super().__init__(f"the object store refuses: {said}")
        self.code = code


def _translated(error: ClientError) -> StoreMoved | StoreUnavailable | StoreRefused:
    response: Any = error.response
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = response.get("Error", {}).get("Code", "")
    said = f"{code} ({status}) to {error.operation_name}"
    if status in _TAKEN and error.operation_name == "PutObject":
        return StoreMoved(said)
    if status in _LATER or not 400 <= status < 500:
        return StoreUnavailable(said)
    return _NotThere(code, said) if status == 404 else StoreRefused(f"the object store refuses: {said}")


def make_client(endpoint: str | None) -> Any:
    """boto3's client; ``endpoint`` for a store that is not Amazon's (or AWS_ENDPOINT_URL_S3).

    :raises StoreRefused: the environment's settings make no client.
    """
    try:
        return boto3.session.Session().client("s3", endpoint_url=endpoint, config=_CONFIG)
    except (BotoCoreError, ValueError) as error:
        raise StoreRefused(f"no client for S3: {error}") from error
