"""Names the two twistd commands; imports nothing heavy, because every twistd run loads it."""

from twisted.application.service import ServiceMaker

sidecar = ServiceMaker("EVE Sidecar", "eve_proxy.tap", "The governed forward proxy.", "eve-sidecar")
governor = ServiceMaker("EVE Governor", "eve_proxy.tap_governor", "The reference decision point.", "eve-governor")
