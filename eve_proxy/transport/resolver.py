"""Names to addresses, after a recorded allow (architecture.md, law 1) and for the governance host.

What is looked up is the name that was judged and no other. A name with a dot is asked for as an absolute one (with
the final dot), because ``/etc/resolv.conf`` may otherwise append search domains: with Kubernetes' ``ndots:5``
``api.example.com`` would first be asked for as ``api.example.com.<namespace>.svc.cluster.local``, and whoever can
create such a name would receive traffic that was allowed for another. Since glibc does not find absolute names in
``/etc/hosts``, that file is asked first. Names without a dot (``localhost``, a container's name) have no absolute
form and take the system's path.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from threading import Thread
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.names.hosts import searchFileForAll
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from eve_proxy.interfaces import IResolver
from eve_proxy.model.authority import IPAddress
from eve_proxy.model.errors import ResolveFailed

Addresses = tuple[IPAddress, ...]
# Texts of addresses, in order of preference; blocks, so it runs in a thread. Raises OSError.
Lookup = Callable[[str], Iterable[str]]

_THREADS: Final = 16
_MOST_CACHED: Final = 1024
# A name with more addresses than this is not served better by the rest.
_MOST_ADDRESSES: Final = 32


class _LookupThread(Thread):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, daemon=True)


class _LookupThreads(ThreadPool):
    """Threads of their own: lookups that hang must neither occupy those that bodies are judged in nor delay a stop."""

    threadFactory = _LookupThread


@implementer(IResolver)
class Resolver:
    """Asks the system, off the reactor thread, once per name at a time.

    :param reactor: brings the threads' answers back.
    :param clock: tells the time.
    :param timeout: seconds that one caller waits.
    :param ttl: seconds that an answer is kept; failures are not.
    :param lookup: what a thread runs.
    """

    def __init__(
        self,
        reactor: Any,
        clock: IReactorTime,
        timeout: float = 5.0,
        ttl: float = 5.0,
        *,
        lookup: Lookup | None = None,
    ) -> None:
        self._reactor = reactor
        self._clock = clock
        self._timeout = timeout
        self._ttl = ttl
        self._lookup = system_lookup if lookup is None else lookup
        self._threads: ThreadPool | None = None
        self._cache: OrderedDict[str, tuple[float, Addresses]] = OrderedDict()
        self._waiting: dict[str, list[Deferred[Addresses]]] = {}

    def resolve(self, host: str) -> Deferred[Addresses]:
        """Every address of ``host``, IPv4 and IPv6 in turn (RFC 8305 section 4), beginning with the preferred.

        :param host: canonical (``Authority.host``); a literal is answered without asking anybody.
        :errback ResolveFailed: no such name, no answer, or too late.
        """
        literal = _literal(host)
        if literal is not None:
            return succeed((literal,))
        cached = self._cache.get(host)
        if cached is not None:
            if cached[0] > self._clock.seconds():
                return succeed(cached[1])
            del self._cache[host]
        return self._join(host)

    def _join(self, host: str) -> Deferred[Addresses]:
        waiter: Deferred[Addresses] = Deferred(partial(self._leave, host))
        timer = self._clock.callLater(self._timeout, self._too_late, host, waiter)

        def settled(result: Any) -> Any:
            if timer.active():
                timer.cancel()
            return result

        waiter.addBoth(settled)
        waiting = self._waiting.get(host)
        if waiting is not None:
            # Also when the lookup is older than the timeout: a second thread would hang in the same place.
            waiting.append(waiter)
        else:
            self._waiting[host] = [waiter]
            self._ask(host).addCallbacks(self._answered, self._failed, callbackArgs=(host,), errbackArgs=(host,))
        return waiter

    def _ask(self, host: str) -> Deferred[Iterable[str]]:
        if self._threads is None:
            self._threads = _LookupThreads(0, _THREADS, "resolver")
            self._threads.start()
        return deferToThreadPool(self._reactor, self._threads, self._lookup, host)

    def _answered(self, texts: Iterable[str], host: str) -> None:
        addresses = _interleaved(texts)
        waiting = self._waiting.pop(host)
        if not addresses:
            for waiter in waiting:
                waiter.errback(ResolveFailed(f"{host} has no address"))
            return
        self._cache[host] = (self._clock.seconds() + self._ttl, addresses)
        if len(self._cache) > _MOST_CACHED:
            self._cache.popitem(last=False)
        for waiter in waiting:
            waiter.callback(addresses)

    def _failed(self, failure: Failure, host: str) -> None:
        detail = _describe(failure.value)
        for waiter in self._waiting.pop(host):
            waiter.errback(ResolveFailed(f"{host}: {detail}"))

    def _too_late(self, host: str, waiter: Deferred[Addresses]) -> None:
        self._leave(host, waiter)
        waiter.errback(ResolveFailed(f"{host}: no answer within {self._timeout:g} s"))

    def _leave(self, host: str, waiter: Deferred[Addresses]) -> None:
        self._waiting[host].remove(waiter)


def system_lookup(host: str, *, hosts: str = "/etc/hosts") -> list[str]:
    """The addresses of ``host`` as this machine sees it. Blocks.

    :param hosts: the hosts file, asked first about names with a dot.
    :raises OSError: there is none.
    """
    name = host
    if "." in host:
        listed: list[str] = searchFileForAll(  # type: ignore[no-untyped-call]
            FilePath(hosts), host.encode("ascii")
        )
        if listed:
            return listed
        name = host + "."
    # No AI_ADDRCONFIG: glibc does not count loopback, and on a machine that has nothing else localhost would vanish.
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _literal(host: str) -> IPAddress | None:
    # Names end in a letter (their last label is never all digits), so most of them need no attempt.
    if ":" not in host and not host[-1:].isdigit():
        return None
    try:
        return ip_address(host)
    except ValueError:
        return None


def _interleaved(texts: Iterable[str]) -> Addresses:
    """Without repetitions, alternating between the families, the first one's family first."""
    # A scope belongs to an interface of this machine and says nothing about the destination.
    unique = dict.fromkeys(ip_address(text.partition("%")[0]) for text in texts)
    first: list[IPAddress] = []
    second: list[IPAddress] = []
    family: type[IPv4Address | IPv6Address] | None = None
    for address in unique:
        family = family or type(address)
        (first if isinstance(address, family) else second).append(address)
    ordered: list[IPAddress] = []
    for position in range(max(len(first), len(second))):
        ordered += first[position : position + 1] + second[position : position + 1]
    return tuple(ordered[:_MOST_ADDRESSES])


def _describe(error: BaseException | None) -> str:
    if isinstance(error, socket.gaierror):
        if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
            return "no such name"
        if error.errno == socket.EAI_AGAIN:
            return "the name server does not answer"
    return "the lookup failed"
