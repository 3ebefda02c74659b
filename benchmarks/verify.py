"""How fast a large journal is verified, and in how much memory: the command on one core and on all, and the browser.

    python benchmarks/verify.py [--records N] [--directory DIR] [--algorithm NAME ...] [--no-browser]

Makes a journal of N records (default 1,000,000, about 1.2 GB) for each algorithm, verifies it, and deletes it. Memory
is the largest sum of what the command's processes hold (``Pss``), sampled ten times a second; of the browser, of all
its processes. CPU is user and system time of all of them. A first pass over the file, not counted, warms the cache.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from eve_proxy.interfaces import ISigner  # noqa: E402
from eve_proxy.model.certificate import GENESIS, Draft, LogLink, RequestDigest  # noqa: E402
from eve_proxy.model.verdict import PolicyRef  # noqa: E402
from eve_proxy.signing.hmac_key import HmacSigner  # noqa: E402
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer  # noqa: E402
from eve_proxy.signing.seal import seal, timestamp  # noqa: E402

SECRET = b"of the benchmark only, and long enough"
SEED = hashlib.sha256(SECRET).digest()[:31]
COMMAND = [sys.executable, "-c", "import sys; from eve_proxy.cli import main; sys.exit(main())", "verify"]


def signer_of(algorithm: str) -> tuple[ISigner, bytes]:
    """A signer, and what verifies it."""
    if algorithm == "hmac":
        return HmacSigner(SECRET), SECRET
    if algorithm == "ed25519":
        edwards = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(SEED + b"\0"))
        return edwards, edwards.pem()
    weierstrass = P256Signer(ec.derive_private_key(int.from_bytes(SEED, "big"), ec.SECP256R1()))
    return weierstrass, weierstrass.pem()


def write_journal(path: Path, signer: ISigner, records: int) -> None:
    link = LogLink(id="log_00112233445566aa", seq=0, prev=GENESIS)
    request = RequestDigest(
        method="POST", scheme="https", host="api.example.com", port=443, path_sha256="1f" * 32,
        body_sha256="ab" * 32, body_bytes=2048, request_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )  # fmt: skip
    policy = PolicyRef(set="egress_v1", sha256="9c" * 32)
    with path.open("wb") as file:
        for number in range(records):
            kind = {0: "session_open", records - 1: "session_close"}.get(number, "decision")
            decided = kind == "decision"
            verdict = ("block" if number % 50 == 0 else "allow") if decided else None
            draft = Draft(
                certificate_id=f"cert_{number:016x}", verdict=verdict, reason="allowed", matched_pillar=None,
                matched_vector=None, caller="sidecar.forward_proxy.egress", org_id="bank_tier1_a",
                latency_ms=1.412, timestamp=timestamp(1776349323.847 + number / 20), kind=kind,
                request=request if decided else None, coverage="full" if decided else "none",
                governor="embedded", policy=policy if decided else None, record=None if decided else {},
            )  # fmt: skip
            certificate = seal(draft, link, signer)
            file.write(certificate.line + b"\n")
            link = LogLink(id=link.id, seq=number + 1, prev=certificate.content_hash)


def warm(path: Path) -> None:
    """Read it once, so that every contender finds it in memory."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def children(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in below for each in children(int(child)))]


def pss(pid: int) -> int:
    """KiB, shared pages divided by who shares them."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


@contextmanager
def watched(pid: int) -> Iterator[list[int]]:
    """The largest memory of a process and those below it so far, in KiB."""
    largest = [0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            largest[0] = max(largest[0], sum(map(pss, children(pid))))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield largest
    finally:
        over.set()
        watcher.join()


def by_command(journal: Path, key: Path, jobs: int) -> tuple[float, float, float]:
    """Seconds, CPU seconds, MiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    arguments = [*COMMAND, "--jobs", str(jobs), "--key", str(key), str(journal)]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, cwd=ROOT) as process, watched(process.pid) as largest:
        status = process.wait()
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert status == 0, status
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, largest[0] / 1024


def by_browser(journal: Path, key: Path) -> tuple[float, float]:
    """Seconds and MiB, of which a blank browser has about 300."""
    from tests.fakes.browser import Verifier, chromium

    with chromium() as browser:
        # The browser is a grandchild: the driver's process stands between.
        with watched(os.getpid()) as largest:
            own = pss(os.getpid())
            verifier = Verifier(browser.new_context())
            began = time.perf_counter()
            report = verifier.verify(journal, [key], timeout=3_600_000)
            seconds = time.perf_counter() - began
        assert report["exit"] == 0, report
        return seconds, (largest[0] - own) / 1024


def row(algorithm: str, way: str, rate: float, seconds: float, cpu: str, memory: float) -> None:
    print(f"| {algorithm:9} | {way:8} | {rate:9,.0f} | {seconds:5.1f} | {cpu:>6} | {memory:5.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, help="where the journals go (default: a temporary directory)")
    parser.add_argument("--algorithm", action="append", choices=["hmac", "ed25519", "p256"])
    parser.add_argument("--jobs", type=int, action="append", help="repeatable (default: 1 and 2)")
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    print("| algorithm | with     | records/s |     s | CPU µs/record | MiB |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        journal, key = Path(directory) / "journal.jsonl", Path(directory) / "key"
        for algorithm in options.algorithm or ["hmac", "ed25519"]:
            signer, material = signer_of(algorithm)
            key.write_bytes(material)
            write_journal(journal, signer, options.records)
            warm(journal)
            for jobs in options.jobs or [1, 2]:
                seconds, cpu, memory = by_command(journal, key, jobs)
                rate, each = options.records / seconds, 1e6 * cpu / options.records
                row(algorithm, f"--jobs {jobs}", rate, seconds, f"{each:.1f}", memory)
            if options.no_browser:
                continue
            try:
                seconds, memory = by_browser(journal, key)
            except pytest.skip.Exception as missing:
                print(f"Chromium: not measured: {missing}", file=sys.stderr)
            else:
                row(algorithm, "Chromium", options.records / seconds, seconds, "-", memory)


if __name__ == "__main__":
    main()
