"""A real nginx as origin: its own folder, ports that the kernel chose, HTTP and HTTPS. Never imports the product."""

from __future__ import annotations

import getpass
import grp
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.integration.sidecar import until

PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")

_CONFIGURATION = """\
daemon off;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
    log_format seen '$connection $connection_requests $request_method $request_uri $status $server_protocol';
    access_log {folder}/access.log seen;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    gzip_types text/plain;
    gzip_min_length 1;
    server {{
        listen {http4};
        listen {http6};
        listen {https4} ssl;
        ssl_certificate {folder}/chain.pem;
        ssl_certificate_key {folder}/key.pem;
        root {folder}/root;
        location /empty {{ return 204; }}
        location /moved {{ return 301 /hello.txt; }}
        location /gzip/ {{ gzip on; gzip_proxied any; alias {folder}/root/; }}
        location /up/ {{ dav_methods PUT; create_full_put_path on; }}
        location /post {{ add_header X-Method $request_method; return 200 "got $content_length bytes\\n"; }}
    }}
}}
"""


@dataclass(frozen=True)
class Visit:
    """One line of the access log.

    :ivar connection: which connection it came on; a number of nginx.
    """

    connection: str
    number: int
    method: str
    uri: str
    status: int
    protocol: str


class Nginx:
    """``nginx`` in the foreground, serving ``root`` and storing what is PUT under ``/up/``.

    :ivar ca: the certificate authority's file, for ``--cacert``.
    """

    def __init__(self, folder: Path) -> None:
        assert PROGRAM is not None
        self.folder = folder
        self.root = folder / "root"
        (self.root / "up").mkdir(parents=True)
        (self.root / "hello.txt").write_text("hello from nginx\n")
        self.ca = folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
        for number, blob in enumerate(leaf.cert_chain_pems):
            blob.write_to_path(str(folder / "chain.pem"), append=number > 0)
        # Bound here and inherited by nginx (as in its own upgrade): port 0 is none of its options, and a port that
        # was chosen, closed and named again could be taken in between.
        listeners = [
            socket.create_server(("127.0.0.1", 0), backlog=128),
            socket.create_server(("::1", 0), family=socket.AF_INET6, backlog=128),
            socket.create_server(("127.0.0.1", 0), backlog=128),
        ]
        self.http, self.http6, self.https = [
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            for host, port in [listener.getsockname()[:2] for listener in listeners]
        ]
        (folder / "nginx.conf").write_text(
            _CONFIGURATION.format(
                folder=folder,
                # As root its worker would become nobody, who may not enter our folder.
                user=f"{getpass.getuser()} {grp.getgrgid(os.getgid()).gr_name}",
                http4=self.http,
                http6=self.http6,
                https4=self.https,
            )
        )
        for listener in listeners:
            listener.setblocking(False)
        descriptors = [listener.fileno() for listener in listeners]
        self.process = subprocess.Popen(
            [PROGRAM, "-p", str(folder), "-c", str(folder / "nginx.conf")],
            env={"PATH": os.environ.get("PATH", ""), "NGINX": "".join([f"{number};" for number in descriptors])},
            pass_fds=descriptors,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for listener in listeners:
            listener.close()
        until(lambda: (folder / "nginx.pid").exists() or self.process.poll() is not None)
        if self.process.poll() is not None:
            assert self.process.stdout is not None
            raise AssertionError(f"nginx did not start:\n{self.process.stdout.read().decode()}")

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def port6(self) -> int:
        """Where it listens on ``::1``."""
        return int(self.http6.rpartition(":")[2])

    def put(self, name: str, data: bytes) -> None:
        """Make a file to download."""
        (self.root / name).write_bytes(data)

    def stored(self, name: str) -> bytes:
        """What was uploaded to ``/up/NAME``."""
        return (self.root / "up" / name).read_bytes()

    def visits(self, path: str) -> list[Visit]:
        """The requests whose URI starts with ``path``, in order."""
        lines = [line.split(" ") for line in (self.folder / "access.log").read_text().splitlines()]
        return [
            Visit(connection, int(number), method, uri, int(status), protocol)
            for connection, number, method, uri, status, protocol in lines
            if uri.startswith(path)
        ]
