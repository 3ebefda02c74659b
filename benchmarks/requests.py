"""CPU time and latency of the whole daemon, with Envoy beside it when it is installed (benchmarks/README.md).

    python benchmarks/requests.py [--quick] [--rounds N] [--seconds N] [--only WORD] [--reactor NAME] [--envoy PATH]

Works: governed requests, plain requests, CONNECT set-ups and bytes through a tunnel. All contenders run at once, each
work is measured for one after the other, and that in several rounds: a machine that is slower for a while is slower
for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bed.contenders import Contender, Way, envoy, find_envoy, floor, sidecar
from bed.daemons import PROGRAMS, Bed, DidNotStart
from bed.load import Load, LoadFailed, Wrk, bulk, probe, tunnels
from bed.table import Sample, render

MIB = 1024 * 1024
# 2 KiB as a client of a language model sends them.
BODY = json.dumps({"model": "m-1", "messages": [{"role": "user", "content": "four small words " * 116}]}).encode()
# What a proxy does after its client has had all answers (closing, the journal's last write) is part of the cost.
SETTLE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Something to be done through a proxy.

    :ivar scale: the unit in CPU seconds.
    :ivar run: does it on a port.
    :ivar size: how many units one ``Load.count`` is.
    """

    name: str
    unit: str
    scale: float
    way: Callable[[Contender], Way | None]
    run: Callable[[int], Load]
    size: float = 1.0


def works(bed: Bed, *, connections: Sequence[int], seconds: float, count: int, size: int) -> list[Work]:
    """Everything that is measured."""
    post = Wrk(bed.folder, "governed", bed.origin, BODY)
    get = Wrk(bed.folder, "plain", bed.origin)
    found: list[Work] = []
    for title, wrk, way in (("governed POST 2 KiB", post, _governed), ("plain GET 200 B", get, _plain)):
        for c in connections:
            found.append(
                Work(
                    name=f"{title}, c={c}",
                    unit="µs",
                    scale=1e-6,
                    way=way,
                    run=lambda port, wrk=wrk, c=c: wrk.run(port, c, seconds),  # type: ignore[misc]
                )
            )
    for c in connections:
        found.append(
            Work(
                name=f"CONNECT set-up, c={c}",
                unit="µs",
                scale=1e-6,
                way=_plain,
                run=lambda port, c=c: tunnels(port, bed.origin, c, count),  # type: ignore[misc]
            )
        )
    found.append(
        Work(
            name="CONNECT bulk",
            unit="s/GiB",
            scale=1.0,
            way=_plain,
            run=lambda port: bulk(port, bed.origin, size),
            size=size / (1024 * MIB),
        )
    )
    return found


def _governed(contender: Contender) -> Way | None:
    return contender.governed


def _plain(contender: Contender) -> Way | None:
    return contender.plain


def measure(work: Work, contender: Contender, way: Way, turn: int) -> Sample:
    """One contender, one work, once."""
    before = way.daemon.cpu_seconds()
    try:
        load = work.run(way.port)
    except (LoadFailed, OSError) as error:
        raise LoadFailed(f"{contender.name}, {work.name}: {error}") from error
    time.sleep(SETTLE)  # noqa: TID251
    spent = way.daemon.cpu_seconds() - before
    cost = spent / (load.count * work.size) / work.scale
    return Sample(work=work.name, contender=contender.name, round=turn, cost=cost, load=load)


def run(bed: Bed, contenders: Sequence[Contender], chosen: Sequence[Work], rounds: int) -> list[Sample]:
    """All rounds, after one request each way that shows that the proxies work.

    :raises LoadFailed: some answer was not a success.
    """
    for contender in contenders:
        if contender.plain is not None:
            probe(contender.governed.port, bed.origin, BODY)
            probe(contender.plain.port, bed.origin, None)
    samples: list[Sample] = []
    for turn in range(rounds):
        # Whoever comes first in one round comes last in the next.
        order = contenders if turn % 2 == 0 else contenders[::-1]
        for work in chosen:
            for contender in order:
                way = work.way(contender)
                if way is not None:
                    samples.append(measure(work, contender, way, turn))
        _say(f"round {turn + 1} of {rounds}")
    return samples


def unrecorded(bed: Bed, samples: Sequence[Sample]) -> int:
    """Answers of the sidecars that have no line in a journal: 0, or the numbers are of something else."""
    answered = sum(sample.load.count for sample in samples if sample.contender.startswith("eve-proxy"))
    recorded = 0
    for journal in bed.folder.glob("*.jsonl"):
        with journal.open("rb") as lines:
            recorded += sum(b'"kind":"decision"' in line for line in lines)
    return max(0, answered - recorded)


def main() -> int:
    arguments = _arguments()
    for needed in ("wrk", "taskset", "nginx"):
        if shutil.which(needed, path=PROGRAMS) is None:
            _say(f"{needed} is not installed (Debian: wrk, util-linux, nginx-light)")
            return 2
    with Bed(arguments.directory) as bed:
        contenders = [sidecar(bed), *(sidecar(bed, reactor=name) for name in arguments.reactor), floor(bed)]
        program = find_envoy(arguments.envoy)
        if program is None:
            _say("Envoy is not installed: measuring eve-proxy only (benchmarks/README.md says how to get it)")
        else:
            contenders += [envoy(bed, program, gate=True), envoy(bed, program, gate=False)]
        every = works(
            bed,
            connections=(1, 16) if arguments.quick else (1, 16, 64),
            seconds=1 if arguments.quick else arguments.seconds,
            count=64 if arguments.quick else 1500,
            size=(32 if arguments.quick else 1024) * MIB,
        )
        chosen = [work for work in every if arguments.only in work.name]
        samples = run(bed, contenders, chosen, 1 if arguments.quick else arguments.rounds)
        missing = unrecorded(bed, samples)
        print(_circumstances(bed, contenders, arguments))
        print(render(samples, {work.name: work.unit for work in chosen}))
        if arguments.json is not None:
            arguments.json.write_text(json.dumps([asdict(sample) for sample in samples], indent=1))
        if missing:
            _say(f"{missing} answers are not in the journal")
            return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works, not how fast")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="per work, contender and round (default 3)")
    parser.add_argument("--only", default="", help="works whose name contains this")
    parser.add_argument("--reactor", action="append", default=[], help="measure under twistd --reactor=NAME as well")
    parser.add_argument("--envoy", help="the program; default .venvs/bench/bin/envoy or the one on PATH")
    parser.add_argument("--directory", type=Path, help="parent of the working folder: the journal's disk")
    parser.add_argument("--json", type=Path, help="write every sample there")
    return parser.parse_args()


def _circumstances(bed: Bed, contenders: Sequence[Contender], arguments: argparse.Namespace) -> str:
    rounds = "quick" if arguments.quick else f"{arguments.rounds} rounds of {arguments.seconds} s"
    pinned = "cores shared" if bed.proxy_core == bed.client_core else "proxies on one core, all else on another"
    versions = ", ".join(f"{contender.name} {contender.version}" for contender in contenders)
    return (
        f"{versions}; Python {platform.python_version()} from {sys.base_prefix}, Linux {platform.release()}, "
        f"{os.cpu_count()} cores ({pinned}), {rounds}; ratio to {contenders[0].name}\n"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (LoadFailed, DidNotStart) as failure:
        sys.exit(f"benchmark failed: {failure}")
