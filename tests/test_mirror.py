"""The test tree mirrors the source: whoever looks for a module's tests finds them at the same place."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path.relative_to(ROOT / "eve_proxy").as_posix()
    for path in (ROOT / "eve_proxy").rglob("*.py")
    if path.name != "__init__.py"
)
# Modules without a file of their own, each with its reason and with where they are tested instead.
EXCEPTIONS = {
    "interfaces.py": "ports without code; every implementation passes tests/conformance/",
    "governance/errors.py": "names only; test_codec.py, test_hosted.py and test_breaker.py raise and read them",
    "shipping/store.py": "a port; test_shipper.py, test_postgres.py and test_s3.py raise and read its errors",
    "doctor/instruments.py": "a value without behaviour; every test of tests/doctor/ uses it",
    "model/body.py": "a value without behaviour; test_body_source.py makes it, test_pipeline.py reads it",
    "transport/client_connection.py": "the base of Downstream; test_downstream.py and test_tunnel_*.py drive it",
    "transport/way_out.py": "a port; test_dialler.py and test_diallers.py implement it, test_factory.py uses it",
    "governance/blocking_words.py": "words only; test_blocking_http.py and test_blocking_parent.py read them",
    "model/request.py": "a value with one property, which test_permits.py and test_drafting.py read",
}


def mirrored(source: str) -> Path:
    """Where the tests of ``source`` are."""
    path = Path(source)
    return ROOT / "tests" / path.with_name(f"test_{path.name}")


@pytest.mark.parametrize("source", SOURCES)
def test_every_module_has_its_tests(source: str) -> None:
    """A module that nobody tests by name does not get in unnoticed."""
    if source in EXCEPTIONS:
        assert not mirrored(source).exists(), "it has tests now: take it out of EXCEPTIONS"
        return
    test = mirrored(source)
    assert test.exists(), f"write {test.relative_to(ROOT)}, or say in EXCEPTIONS where it is tested and why there"
    assert "def test_" in test.read_text("utf-8")


def test_every_exception_has_a_module_and_a_reason() -> None:
    """The table is no longer than it has to be."""
    assert set(EXCEPTIONS) <= set(SOURCES)
    assert all(EXCEPTIONS.values())


def test_the_source_is_found() -> None:
    """An empty list would pass everything."""
    assert {"service.py", "wire/machine.py", "pdp/assembly/detector.py"} <= set(SOURCES)
    assert len(SOURCES) > 100
