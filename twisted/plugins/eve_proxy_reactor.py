"""Names the lean reactor for ``twistd --reactor``; imports nothing heavy, because every twistd run loads it."""

from twisted.application.reactors import Reactor

epoll = Reactor("eve-epoll", "eve_proxy.transport.lean_reactor", "epoll without a logging context per event.")
