"""The guide's import path."""

from __future__ import annotations

import inspect
import json

import pytest

import eve_proxy.fail_closed
from eve_proxy.fail_closed import FailClosedError, enforce, last_certificate, verify_certificate
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import header_value, seal
from tests.fakes.journal import draft, link
from tests.fakes.library import VETO, LibraryBench
from tests.fakes.ports import SECRET


def test_the_guides_three_lines() -> None:
    """The guide's verification example works with only the module's name changed."""
    headers = {"X-EVE-Decision-Cert": header_value(seal(draft(reason="naïve"), link(), HmacSigner(SECRET))).decode()}
    cert = json.loads(headers["X-EVE-Decision-Cert"])
    assert verify_certificate(cert, SECRET), "certificate tampered or wrong key"


def test_the_guides_names_and_arguments() -> None:
    """Section 7 of the guide can be typed in as it is: names, order and defaults."""
    assert {"enforce", "FailClosedError", "verify_certificate"} < set(eve_proxy.fail_closed.__all__)
    parameters = inspect.signature(enforce).parameters
    assert list(parameters) == ["caller", "org_id", "timeout_s", "run_fmi", "fmi_input"]
    assert parameters["caller"].default is inspect.Parameter.empty
    assert {name: each.default for name, each in parameters.items() if name != "caller"} == {
        "org_id": None, "timeout_s": 2.0, "run_fmi": True, "fmi_input": None,
    }  # fmt: skip


def test_the_wrapper_uses_the_processs_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decorated at import finds the parts at the call; the latest certificate can be asked for."""
    bench = LibraryBench()
    monkeypatch.setattr(eve_proxy.fail_closed, "_process", lambda: bench)

    @enforce(caller="svc", org_id="bank", timeout_s=2.0, run_fmi=True, fmi_input="hello")
    def call_llm(prompt: str) -> str:
        return prompt

    assert call_llm("hi") == "hi"
    latest = last_certificate()
    assert latest is not None
    assert latest.to_dict()["caller"] == "svc"
    bench.governor.answer = VETO
    with pytest.raises(FailClosedError) as caught:
        call_llm("hi")
    assert caught.value.certificate is last_certificate()
