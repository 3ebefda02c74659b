"""Run as a program inside a network namespace: an origin on TCP 80, 443 (TLS), 8443 and UDP 443, both IP versions.

    python crossing_origin.py CERTIFICATE KEY

It answers every HTTP request with ``origin`` and the client's address, and prints a line of JSON for whatever reaches
it. Standard library only; knows nothing of the proxy.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def say(**what: Any) -> None:
    print(json.dumps(what) + "\n", end="", flush=True)  # one write: threads do not mix their lines


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        say(port=port, path=self.path, host=self.headers["Host"], via=self.headers["Via"], peer=self.client_address[0])
        body = b"origin\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Its own lines are enough."""


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def quic() -> None:
    listener = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    listener.bind(("::", 443))
    while True:
        data, asked_at, _, peer = listener.recvmsg(2048, 64)
        say(port="udp", peer=peer[0])
        # From the address that was asked: this machine has several.
        listener.sendmsg([data], asked_at, 0, peer)


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    for port in (80, 443, 8443):
        server = Server(("::", port), Answers)
        if port == 443:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=quic, daemon=True).start()
    say(ready=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
