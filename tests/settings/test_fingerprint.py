"""What a record may say about settings: that they changed and which, never what they are."""

from __future__ import annotations

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.config import parse
from eve_proxy.settings.fingerprint import Fingerprint
from eve_proxy.settings.reading import Entry
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET

KEY = b"k" * 32
BASE = {"JWT_SECRET_KEY": "hunter2 hunter2 hunter2 hunter2 hunter2"}


def of(key: bytes = KEY, **environ: str) -> Fingerprint:
    return Fingerprint.of(parse(BASE | environ).entries, key)


def test_what_changed_is_named() -> None:
    """A variable that was changed, set or unset is named, with digests of before and after; nothing else is."""
    before, after = of(EVE_PROXY_ORG_ID="acme", EVE_PROXY_BLOCKED_HOSTS="a.example"), of(EVE_PROXY_ORG_ID="evil")
    (details,) = after.changes_since(before)
    assert details["previous"] == before.sha256
    assert details["config"] == after.sha256
    assert [(change["name"], change["before"] is None, change["after"] is None) for change in details["changed"]] == [
        ("EVE_PROXY_BLOCKED_HOSTS", False, True),
        ("EVE_PROXY_ORG_ID", False, False),
    ]
    assert details["changed"][1]["after"] == "sha256-" + hashlib.sha256(b"evil").hexdigest()


def test_nothing_changed() -> None:
    """The same settings give no record."""
    assert of().changes_since(of()) == []


def test_the_session_before_is_not_known() -> None:
    """That nothing can be said is said."""
    assert of().changes_since(None) == [{"previous": None, "config": of().sha256, "changed": []}]


def test_secrets_cannot_be_guessed_from_a_record() -> None:
    """A changed secret is named, but without the key of the digests nobody can test guesses of it."""
    (details,) = of(JWT_SECRET_KEY="another one, also long enough to pass").changes_since(of())
    (change,) = details["changed"]
    assert change["name"] == "JWT_SECRET_KEY"
    guess = hashlib.sha256(BASE["JWT_SECRET_KEY"].encode()).hexdigest()
    assert guess not in json.dumps(details)
    assert change["before"].startswith("keyed-")
    assert of(b"x" * 32).variables["JWT_SECRET_KEY"] != of().variables["JWT_SECRET_KEY"]
    assert "hunter2" not in repr(of())
    assert KEY.hex() not in repr(of())
    assert repr(KEY) not in repr(of())


def test_one_variable_can_be_replaced() -> None:
    """A key file that was read again gives what a restart would have found."""
    other = "another one, also long enough to pass"
    replaced = of().having("JWT_SECRET_KEY", hashlib.sha256(other.encode()).hexdigest())
    assert replaced == of(JWT_SECRET_KEY=other)


NAMES = st.text("ABCDEFGHIJ_", min_size=1, max_size=200).map("EVE_PROXY_".__add__)


@given(
    st.dictionaries(NAMES, st.text(min_size=1), max_size=60), st.dictionaries(NAMES, st.text(min_size=1), max_size=60)
)
def test_every_change_fits_into_certificates(before: dict[str, str], after: dict[str, str]) -> None:
    """However many variables with whatever names changed, each is in a record that can be signed."""

    def made(texts: dict[str, str]) -> Fingerprint:
        entries = [
            Entry(name=name, text=text, source="env", help="", sha256=hashlib.sha256(text.encode()).hexdigest())
            for name, text in texts.items()
        ]
        return Fingerprint.of(entries, KEY)

    found = made(after).changes_since(made(before))
    for details in found:
        long = draft(
            kind="config_change", verdict=None, request=None, reason="s" * 200, record=details, org_id="o" * 128
        )
        seal(long, link(seq=10**9), HmacSigner(SECRET))
    expected = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert sum(len(details["changed"]) for details in found) == len(expected)
