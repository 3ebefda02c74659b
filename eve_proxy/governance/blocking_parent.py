"""EVE_PROXY_GOVERNANCE_PROXY for threads: a tunnel through the parent proxy to the decision service.

The twin of ``transport/parent.py`` for processes without a reactor.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final

from eve_proxy.governance.blocking_dial import Left, dial_first
from eve_proxy.governance.blocking_words import said
from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import GovernorUnavailable, Malformed
from eve_proxy.policy.parent_address import ParentAddress
from eve_proxy.wire.connect_answer import ConnectAnswer
from eve_proxy.wire.events import ResponseHead
from eve_proxy.wire.serialize import connect_head

_CREDENTIALS: Final = "EVE_PROXY_GOVERNANCE_PROXY_CREDENTIALS_FILE"
_PIECE: Final = 65536
_UNAUTHENTICATED: Final = 407


def load_parent_context(ca: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later to the proxy, whose certificate must be valid for its host.

    :param ca: PEM roots to use instead of the system's.
    :raises ValueError: the file cannot be used; nothing of its content.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as error:
        raise ValueError(f"EVE_PROXY_GOVERNANCE_PROXY_CA: {ca} holds no usable PEM certificate") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class BlockingParent:
    """One parent proxy.

    :param tls: from ``load_parent_context``; None exactly where it is not reached by https.
    :param authorization: the value of Proxy-Authorization, or None.
    """

    def __init__(self, address: ParentAddress, *, tls: ssl.SSLContext | None, authorization: bytes | None) -> None:
        if (tls is None) is address.secure:
            raise ValueError("TLS settings belong to an https proxy, and to no other")
        self._address = address
        self._tls = tls
        self._authorization = authorization

    def open(self, authority: Authority, left: Left) -> socket.socket:
        """A tunnel to ``authority``, whose name the proxy resolves.

        :param left: the time that is left.
        :raises GovernorUnavailable: there is no way through; nobody dials the service itself then.
        """
        connection: socket.socket | None = None
        try:
            connection = dial_first(self._address.authority, left)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection.settimeout(left())
                connection = self._tls.wrap_socket(connection, server_hostname=self._address.authority.host)
            connection.settimeout(left())
            connection.sendall(connect_head(authority, self._authorization))
            answer = ConnectAnswer()
            self._check(self._read(connection, answer, left), answer)
            tunnel, connection = connection, None
        except OSError as error:
            raise self._failed(said(error)) from error
        except Malformed as error:
            raise self._failed(f"its answer to CONNECT is malformed: {error.detail}") from error
        finally:
            if connection is not None:
                with suppress(OSError):
                    connection.close()
        return tunnel

    def _read(self, connection: socket.socket, answer: ConnectAnswer, left: Left) -> ResponseHead:
        while True:
            connection.settimeout(left())
            data = connection.recv(_PIECE)
            if not data:
                raise self._failed("closed the connection before it answered CONNECT")
            head = answer.feed(data)
            if head is not None:
                return head

    def _check(self, head: ResponseHead, answer: ConnectAnswer) -> None:
        if head.status == _UNAUTHENTICATED:
            what = "asks for credentials" if self._authorization is None else "does not accept our credentials"
            raise self._failed(f"{what} (status 407): see {_CREDENTIALS}")
        if not 200 <= head.status < 300:
            raise self._failed(f"refused CONNECT with status {head.status}")
        if answer.rest:
            # The service answers questions; neither TLS nor HTTP has its server speak first.
            raise self._failed("sent more than its answer to CONNECT")

    def _failed(self, detail: str) -> GovernorUnavailable:
        return GovernorUnavailable(f"governance service: parent proxy {self._address.name}: {detail}")
