"""The laws that the source's shape can show (architecture.md, "Seven laws"), looked for in every module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "eve_proxy"
SOURCES = sorted(PACKAGE.rglob("*.py"))


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in SOURCES:
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text("utf-8"))


def calls(name: str) -> set[str]:
    """Modules that call something named ``name``, bare or as an attribute."""
    found = set()
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func
                if (isinstance(called, ast.Name) and called.id == name) or (
                    isinstance(called, ast.Attribute) and called.attr == name
                ):
                    found.add(module)
    return found


def mentions(*dotted: str) -> set[str]:
    """Modules in which a dotted name such as ``os.environ`` is used, or imported as ``from os import environ``."""
    wanted = {tuple(name.split(".")) for name in dotted}
    found = set()
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                named = {(node.value.id, node.attr)}
            elif isinstance(node, ast.ImportFrom):
                named = {(str(node.module), alias.name) for alias in node.names}
            else:
                continue
            if named & wanted:
                found.add(module)
    return found


def imports(*names: str) -> set[str]:
    """Modules that import one of ``names`` (``random``, ``twisted.internet.reactor``), or something from it."""
    found = set()
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported = {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
            else:
                continue
            if imported.intersection(names):
                found.add(module)
    return found


def test_one_module_makes_permits() -> None:
    """Law 3: nothing but decision/permits.py can make leave to connect."""
    assert calls("Permit") == {"decision/permits.py"}
    assert calls("permit_for") == {"decision/pipeline.py"}


def test_only_the_dialler_and_the_governance_client_connect() -> None:
    """Laws 1 and 3: whoever opens a connection either holds a permit or talks to the configured governor."""
    openers = calls("connectTCP") | calls("connectUNIX") | calls("connectSSL")
    assert openers <= {"transport/racing.py", "transport/dialler.py", "transport/governance_http.py"}
    assert calls("create_connection") == set()
    # locality.py asks the kernel for a route with a UDP socket; nothing is sent.
    # shipping/ and doctor/ are other programs (eve-proxy ship, eve-proxy doctor); nothing of the proxy imports them.
    others = {"shipping/postgres.py", "doctor/network.py"}
    assert calls("connect") == {"governance/blocking_dial.py", "transport/locality.py"} | others


def test_names_are_looked_up_in_one_place() -> None:
    """Law 1: a DNS query is egress: the resolver makes one, and whoever asks for the configured governor's name."""
    lookups = calls("getaddrinfo") | calls("gethostbyname") | calls("resolveHostName") | calls("getHostByName")
    # eve-proxy doctor, another program, looks up what an application beside the proxy would.
    assert lookups == {"transport/resolver.py", "governance/blocking_dial.py", "doctor/network.py"}


def test_time_is_an_argument() -> None:
    """Law 5: the machine's clock is read in one module below the composition root."""
    # eve-proxy doctor runs without zope, and so without system.py.
    assert imports("time") == {"system.py", "doctor/machine.py"}
    assert mentions("datetime.now", "datetime.utcnow", "datetime.today", "date.today") == set()
    # Names of types only: what is imported from here cannot tell the time without the calls above.
    dates = {"export/ocsf.py", "shipping/s3.py", "signing/seal.py", "signing/witness_source.py"}
    dates |= {"doctor/report.py", "doctor/ways_in.py"}
    assert imports("datetime") == {"enforcement/library/call_text.py"} | dates
    assert mentions("datetime.datetime") == dates


def test_randomness_is_an_argument() -> None:
    """Law 5: so are random numbers."""
    assert imports("random", "secrets") == {"composition.py", "library.py", "tap_governor.py"}
    assert mentions("os.urandom", "os.getrandom") == {"system.py", "doctor/machine.py"}
    assert imports("uuid.uuid1", "uuid.uuid4") == set()
    # For the type, which a call's text may hold.
    assert imports("uuid") == {"enforcement/library/call_text.py"}


def test_the_reactor_is_an_argument() -> None:
    """Law 5: the global reactor is named in the tap files and the command line only."""
    assert imports("twisted.internet.reactor") == {"tap.py", "tap_governor.py"}


def test_the_environment_is_read_once() -> None:
    """Law 6: after the edge nobody reads an environment variable again (verify_certificate's default key excepted)."""
    assert mentions("os.environ", "os.getenv") <= {
        "tap.py",
        "tap_governor.py",
        "cli/__init__.py",
        "library.py",
        "__main__.py",
        "signing/verification.py",
        "signing/secret.py",
    }


def test_values_are_frozen() -> None:
    """Law 6: what was judged is what is sent and written down; whoever wants it otherwise makes another value."""
    thawed = set()
    for module, tree in trees():
        for node in ast.walk(tree):
            for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else ():
                if isinstance(decorator, ast.Name) and decorator.id == "dataclass":
                    thawed.add(module)
                elif isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "dataclass":
                    settings = {each.arg: ast.literal_eval(each.value) for each in decorator.keywords}
                    if settings.get("frozen") is not True or settings.get("slots") is not True:
                        thawed.add(module)
    # A form that is being filled in, a pair of descriptors, and counters: nothing that is judged.
    assert thawed == {"settings/reading.py", "transport/pipes.py", "transport/dialler.py"}


def test_an_outcome_is_never_compared_by_truthiness() -> None:
    """Law 4: which outcome opens the gate is one explicit table."""
    from eve_proxy.model.verdict import PERMITS, Outcome

    assert set(PERMITS) == set(Outcome)
    assert [outcome for outcome, opens in PERMITS.items() if opens] == [Outcome.ALLOW, Outcome.FAIL_OPEN]


def test_everything_is_caught_in_few_places() -> None:
    """Law 4: broad excepts are counted; a new one has to be put here, with its reason beside it in the source."""
    broad = set()
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None
                or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
            ):
                broad.add(module)
    assert broad <= {
        "decision/pipeline.py",
        "discover.py",
        "enforcement/library/ports.py",
        "enforcement/library/runners.py",
        "enforcement/library/running.py",
        "audit/committer.py",
        "audit/opening.py",
        "audit/process_journal.py",
        "audit/recovery.py",
        "governance/driving.py",
        "signing/seal.py",
        "tap_governor.py",
        "signing/verification.py",
    }


@pytest.mark.parametrize(
    "file",
    ["fakes/governor.py", "fakes/origin.py", "fakes/parent_proxy.py", *(f"integration/{name}.py" for name in (
        "client", "commands", "held_daemon", "nginx", "peers", "service_manager", "sidecar", "strace_log"
    ))],
)  # fmt: skip
def test_what_stands_outside_does_not_import_the_product(file: str) -> None:
    """Origins, clients and governors of the process tests cannot share a misunderstanding with what they test."""
    for node in ast.walk(ast.parse((ROOT / "tests" / file).read_text("utf-8"))):
        imported = [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        imported += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not [name for name in imported if name.split(".")[0] == "eve_proxy"]


def test_imports_point_down() -> None:
    """Law 7: import-linter's contracts hold."""
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed (pip install -e '.[check]'); scripts/lint runs it")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_metrics_are_exposed_in_one_place() -> None:
    """Nothing in metrics can fail a request: the library that exposes them is out of the reach of the request path."""
    used = {
        module
        for module, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and "prometheus_client" in ast.unparse(node)
    }
    assert used == {"metrics/exposition.py", "metrics/process.py"}
