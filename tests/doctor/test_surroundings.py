"""Proxy variables, as clients read them."""

from __future__ import annotations

import pytest

from eve_proxy.doctor.finding import Result
from eve_proxy.doctor.plan import read_authority
from eve_proxy.doctor.surroundings import no_proxy, proxy_variables

PROXY = read_authority("127.0.0.1:3128", None)
HERE = "http://127.0.0.1:3128"


@pytest.mark.parametrize(
    ("environ", "result"),
    [
        ({}, Result.SKIP),
        ({"HTTP_PROXY": ""}, Result.SKIP),
        ({"HTTP_PROXY": HERE, "http_proxy": HERE, "HTTPS_PROXY": HERE}, Result.OK),
        ({"http_proxy": "http://localhost:3128", "https_proxy": HERE}, Result.OK),
        ({"all_proxy": HERE}, Result.OK),
        ({"HTTP_PROXY": HERE, "HTTPS_PROXY": HERE}, Result.WARN),
        ({"http_proxy": HERE}, Result.WARN),
        ({"HTTPS_PROXY": HERE}, Result.WARN),
        ({"http_proxy": HERE, "HTTPS_PROXY": "http://10.0.0.1:3128"}, Result.FAIL),
        ({"http_proxy": HERE, "HTTPS_PROXY": "http://127.0.0.1:3129"}, Result.FAIL),
        ({"http_proxy": "socks5://127.0.0.1:3128", "HTTPS_PROXY": HERE}, Result.FAIL),
    ],
)
def test_where_they_lead(environ: dict[str, str], result: Result) -> None:
    """To this proxy, by both schemes, in the case that curl reads."""
    found = proxy_variables(environ, PROXY)
    assert found.result is result
    assert (found.advice is None) is (result in (Result.OK, Result.SKIP))


def test_a_password_is_not_shown() -> None:
    """Nobody finds it in a log of the doctor."""
    found = proxy_variables({"http_proxy": "http://u:secret@10.0.0.1:1"}, PROXY)
    assert "secret" not in f"{found.meaning}{found.advice}"


@pytest.mark.parametrize(
    "value",
    [
        "*", "localhost,*", "example.com", ".example.com", "*.example.com", "api.example.com:443", ".com", "*.com",
        "0.0.0.0/0", "8.8.8.8", "8.8.8.8:53", "2000::/3", "localhost example.com",
    ],
)  # fmt: skip
def test_what_exempts_too_much(value: str) -> None:
    """Everything, public names and public addresses."""
    for name in ("NO_PROXY", "no_proxy"):
        assert no_proxy({name: value}, ()).result is Result.FAIL


@pytest.mark.parametrize(
    "value",
    [
        "", "localhost", "localhost,127.0.0.1,.svc.cluster.local", "10.0.0.0/8,192.168.1.1:8080,::1,[fd00::1]",
        "db,redis:6379", "printer.local", "x.internal", "corp.example.net", ".corp.example.net",
    ],
)  # fmt: skip
def test_what_is_ones_own(value: str) -> None:
    """Local names, private addresses, single labels, and what the operator says is his."""
    assert no_proxy({"NO_PROXY": value}, [".Corp.Example.net"]).result is Result.OK


def test_link_local() -> None:
    """The metadata service is among it."""
    assert no_proxy({"NO_PROXY": "169.254.169.254"}, ()).result is Result.WARN
