"""The proxy as one of its clients sees it: its own pages, and the certificates on what it lets through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from eve_proxy.doctor import messages
from eve_proxy.doctor.network import Heard, Network
from eve_proxy.doctor.reply import Reply, read_reply
from eve_proxy.model.authority import Authority
from eve_proxy.signing.key_document import NotAPublicKey, public_keys
from eve_proxy.signing.spelling import Unacceptable, read_header, read_line
from eve_proxy.signing.verification import UNTRUSTED_KEY, Key, check_fields, check_hash

CERTIFICATE: Final = "x-eve-decision-cert"
# ``GET /certificates?last=N`` gives no more.
_MOST: Final = 1000
# The proxy answers to addresses and names without a dot only; what the connection leads to is not said here.
_HOST: Final = "localhost"


class Trust(Enum):
    """Why a certificate is believed to be the proxy's."""

    GIVEN = "it verifies with the key that was given"
    PUBLISHED = "it verifies with the key that the proxy publishes"
    RECORDED = "the proxy's journal has it"
    CLAIMED = "nothing here can verify it"
    FORGED = "its signature is wrong"


PROVEN: Final = (Trust.GIVEN, Trust.PUBLISHED, Trust.RECORDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """The certificate of one probe.

    :ivar fields: as ``signing.spelling`` reads them.
    """

    fields: dict[str, Any]
    trust: Trust

    @property
    def proven(self) -> bool:
        """It is the proxy's."""
        return self.trust in PROVEN


def head_complete(data: bytes) -> bool:
    """Whether a response's head is there."""
    return b"\r\n\r\n" in data


def to_the_end(_: bytes) -> bool:
    """Read until the other side closes."""
    return False


class Proxy:
    """One proxy.

    :param keys: that the operator gave; the published ones are taken where there are none.
    :param token: a random text of 16 lower-case hex digits, another one each time.
    :ivar reachable: a connection to it was made by ``meet``.
    :ivar admits: it shows its certificates to this client.
    """

    def __init__(self, network: Network, authority: Authority, keys: Sequence[Key], token: Callable[[], str]) -> None:
        self.authority = authority
        self.token = token
        self.keys: Sequence[Key] = keys
        self.reachable = False
        self.admits = False
        self._network = network
        self._given = bool(keys)

    def meet(self) -> None:
        """Find out whether it is there, whether it serves this client, and which keys it publishes."""
        heard = self.send(messages.get("/.well-known/jwks.json", _HOST, self.token()))
        self.reachable = heard.reached
        if not self.reachable:
            return
        reply = read_reply(heard.data)
        if not self._given and reply is not None and reply.status == 200:
            try:
                self.keys = public_keys(reply.body)
            except NotAPublicKey:  # a shared secret is not published
                self.keys = ()
        self.admits = self.recorded(1) is not None

    def send(self, data: bytes, enough: Callable[[bytes], bool] = to_the_end) -> Heard:
        """Send bytes to it."""
        return self._network.stream(self.authority.host, self.authority.port, data, enough)

    def page(self, path: str) -> Reply | None:
        """One of its own pages; None when it gives no answer."""
        return read_reply(self.send(messages.get(path, _HOST, self.token())).data)

    def report(self, document: bytes) -> Reply | None:
        """``POST /posture``."""
        data = messages.post_json("/posture", _HOST, self.token(), document)
        return read_reply(self.send(data).data, method="POST")

    def recorded(self, count: int = _MOST) -> list[dict[str, Any]] | None:
        """The last records of its journal; None when it does not show them."""
        reply = self.page(f"/certificates?last={count}")
        if reply is None or reply.status != 200:
            return None
        try:
            return [read_line(line) for line in reply.body.splitlines()]
        except Unacceptable:
            return None

    def certified(self, reply: Reply | None, token: str) -> Certified | None:
        """The certificate on an answer, if there is one, it is whole, and it is that of the request with ``token``."""
        header = None if reply is None else reply.fields.get(CERTIFICATE)
        if header is None:
            return None
        try:
            fields = read_header(header.encode("latin-1"))
            check_hash(fields)
        except (Unacceptable, UnicodeEncodeError):
            return None
        request = fields["request"]
        if request is None or request["request_id"] != messages.request_id(token):
            return None
        return Certified(fields=fields, trust=self.trust(fields))

    def trust(self, fields: dict[str, Any]) -> Trust:
        """How far a certificate can be believed."""
        try:
            check_fields(fields, self.keys)
        except Unacceptable as error:
            if error.fault != UNTRUSTED_KEY:
                return Trust.FORGED
            return Trust.RECORDED if self._has(fields) else Trust.CLAIMED
        return Trust.GIVEN if self._given else Trust.PUBLISHED

    def _has(self, fields: dict[str, Any]) -> bool:
        reply = self.page(f"/certificates/{fields['certificate_id']}")
        try:
            return reply is not None and reply.status == 200 and read_line(reply.body) == fields
        except Unacceptable:
            return False
