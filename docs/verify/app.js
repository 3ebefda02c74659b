// The page: what is given, what is asked of the worker, what is shown.

const $ = (id) => document.getElementById(id);
const REDRAW = 400; // milliseconds between drawings while records arrive

const HEADLINES = {
  0: ["whole", "Whole", "✓"],
  1: ["tampered", "Tampered", "✕"],
  2: ["usage", "Not examined", "!"],
  3: ["unproven", "End not proven", "…"],
  4: ["untrusted", "Key not trusted", "?"],
};
const MEANINGS = {
  0: "Every line is signed by a trusted key, none is missing in between, and a session_close ends the journal. That proves the end against accident only: who can write the file can cut it after an older session_close.",
  1: "The file is not what was signed. What stands before this line verifies; nothing after it was examined.",
  3: "What is here verifies, and nothing in between is missing. Whether more followed cannot be told from this file.",
  4: "The line may be genuine or not: nobody you trust has signed it. What stands before it verifies; nothing after it was examined.",
};
const SHARED = "A shared secret was trusted: whoever can verify with it can also sign.";

let worker = null;
let records = new Records();
let keys = [];
let started = 0;
const state = { lanes: new Set(LANES), words: [], from: -Infinity, to: Infinity };

const chart = new Chart($("chart"), $("chart-note"), (from, to) => setRange(from, to));
const table = new Table(
  $("rows"), $("found"),
  { first: $("first"), previous: $("previous"), next: $("next"), last: $("last") },
  (row) => showRecord(row));

/** The program of the worker, as an address; the policy allows no other script than this page's own. */
const workerAddress = (() => {
  const source = new Blob([$("worker").textContent], { type: "text/javascript" });
  const policy = window.trustedTypes?.createPolicy("worker", { createScriptURL: (address) => address });
  const address = URL.createObjectURL(source);
  return policy ? policy.createScriptURL(address) : address;
})();

async function begin(event) {
  event.preventDefault();
  stop();
  const blob = $("journal").files[0];
  $("result").hidden = false;
  for (const part of ["place", "facts", "decisions"]) $(part).hidden = true;
  if (blob === undefined) return refuse("Choose a journal first.");
  if (!window.crypto?.subtle) {
    return refuse("This address gives the page no cryptography: open the file itself, or serve it over https.");
  }
  const documents = await givenKeys();
  if (documents.length === 0) return refuse("Give a key to verify with: a JWKS or PEM file, or the shared secret.");
  records = new Records();
  keys = [];
  setRange(-Infinity, Infinity);
  started = performance.now();
  answer("running", "Verifying…", "", "");
  $("progress").hidden = false;
  $("progress").value = 0;
  worker = new Worker(workerAddress);
  worker.onerror = (error) => refuse(`The worker failed: ${error.message}`);
  let drawn = 0;
  worker.onmessage = ({ data }) => {
    if (data.type === "keys") keys = data.keys;
    else if (data.type === "failed") refuse(data.detail);
    else if (data.type === "report") finish(data.report, blob);
    else {
      records.append(data);
      const now = performance.now();
      if (now - drawn > REDRAW) {
        drawn = now;
        follow(blob);
      }
    }
  };
  worker.postMessage({ blob, documents, requireExternal: $("external").checked });
}

function stop() {
  worker?.terminate();
  worker = null;
}

/** What was given as keys: `{name, bytes}`. One newline at the end of a secret is the editor's, not the secret's. */
async function givenKeys() {
  const given = [];
  for (const file of $("key-files").files) {
    let bytes = new Uint8Array(await file.arrayBuffer());
    for (const end of [10, 13]) if (bytes.at(-1) === end) bytes = bytes.subarray(0, -1);
    given.push({ name: file.name, bytes });
  }
  const encoder = new TextEncoder();
  const public_ = $("key-text").value;
  if (public_.trim() !== "") given.push({ name: "the pasted key", bytes: encoder.encode(public_) });
  if ($("secret").value !== "") given.push({ name: "the secret", bytes: encoder.encode($("secret").value) });
  return given;
}

function answer(kind, title, detail, meaning, sign = "") {
  $("answer").className = kind;
  $("answer").dataset.kind = kind;
  $("answer-sign").textContent = sign;
  $("answer-title").textContent = title;
  $("answer-detail").textContent = detail;
  $("answer-meaning").textContent = meaning;
}

function refuse(detail) {
  stop();
  $("progress").hidden = true;
  const [kind, title, sign] = HEADLINES[2];
  answer(kind, title, detail, "", sign);
  $("answer").dataset.report = JSON.stringify({ exit: 2 });
}

function follow(blob) {
  const row = records.count - 1;
  const bytes = records.column("offset")[row] + records.column("size")[row];
  $("progress").value = bytes / blob.size;
  $("answer-detail").textContent = `${counted(records.count, "record")} verified so far`;
  drawDecisions();
}

function finish(report, blob) {
  const seconds = (performance.now() - started) / 1000;
  stop();
  $("progress").hidden = true;
  const [kind, title, sign] = HEADLINES[report.exit];
  const shared = keys.some((key) => key.algorithm === "HMAC-SHA256") ? ` ${SHARED}` : "";
  answer(kind, title, sentence(report), MEANINGS[report.exit] + shared, sign);
  $("answer").dataset.report = JSON.stringify(plainReport(report));
  $("answer").focus();
  showPlace(report);
  showFacts(report, blob, seconds);
  drawDecisions();
}

function sentence(report) {
  const count = counted(report.records, "record");
  if (report.exit === 0) return `${count} verify; the chain is whole; the end is proven against accident (session_close).`;
  const place = report.line === null ? "" : `Line ${report.line.toLocaleString("en")}: `;
  return `${place}${report.fault}: ${report.detail}. ${count} before it verify.`;
}

/** The report as `eve-proxy verify --json` writes it. */
function plainReport({ exit, fault, line, detail, records: count, head, kinds, verdicts, follows, closed }) {
  const proven = exit === 0 || fault === "self-proven" ? "accident" : null;
  return {
    exit, fault, line, detail, records: count, head, proven_against: proven,
    kinds: Object.fromEntries(kinds), verdicts: Object.fromEntries(verdicts), follows,
    closed, notes: [],
  };
}

function showPlace({ line, place, facts, respelled }) {
  $("place").hidden = place === undefined;
  if (place === undefined) return;
  const bytes = `${place.offset.toLocaleString("en")} to ${(place.offset + place.size).toLocaleString("en")}`;
  $("place-where").textContent = `Line ${line.toLocaleString("en")}, bytes ${bytes} of the file`;
  const text = place.text.replace(/\n$/, "");
  const rows = [...(facts ?? [])];
  if (respelled === undefined) {
    $("place-text").replaceChildren(text);
  } else {
    const [start, end, other] = difference(text, respelled);
    const marked = element("mark", {}, text.slice(start, end) || "\u2038");
    $("place-text").replaceChildren(text.slice(0, start), marked, text.slice(end));
    rows.push(["differs from", `character ${start + 1} of the line`]);
    rows.push(["there is", JSON.stringify(text.slice(start, end))], ["its one spelling", JSON.stringify(other)]);
  }
  $("place-facts").replaceChildren(...definitions(rows));
}

/** Where two texts differ: start and end in the first, and what stands there in the second. */
function difference(one, other) {
  let start = 0;
  while (start < one.length && one[start] === other[start]) start += 1;
  let same = 0;
  const most = Math.min(one.length, other.length) - start;
  while (same < most && one.at(-1 - same) === other.at(-1 - same)) same += 1;
  return [start, one.length - same, other.slice(start, other.length - same)];
}

function showFacts(report, blob, seconds) {
  const lanes = records.lanes();
  const kinds = [...report.kinds].filter(([name]) => name !== "decision").map(([name, count]) => `${count} ${name}`);
  const verdicts = [...report.verdicts].map(([name, count]) => `${count.toLocaleString("en")} ${name}`);
  const rows = [
    ["file", `${blob.name}, ${counted(blob.size, "byte")}`],
    ["trusted keys", keys.map(({ algorithm, id }) => `${algorithm} ${id}`).join(", ")],
    ["decisions", verdicts.join(", ") || "none"],
    ["the journal's own records", kinds.join(", ") || "none"],
    ["journal", report.head?.id ?? "unknown"],
    ["next record", report.head === null ? "unknown" : `${report.head.seq}, after ${report.head.prev}`],
    ...report.follows.map((digest) => ["succeeds a damaged file", `sha256 ${digest}`]),
    ["examined in", `${seconds.toFixed(1)} s`],
  ];
  $("facts-list").replaceChildren(...definitions(rows));
  $("facts-json").textContent = JSON.stringify(plainReport(report), null, 2);
  $("facts").hidden = false;
  for (const [at, name] of LANES.entries()) {
    const count = lanes.reduce((total, lane) => total + (lane === at), 0);
    $(`lane-${name}-count`).textContent = count.toLocaleString("en");
    $(`lane-${name}-label`).hidden = name === "fail_open" && count === 0;
  }
}

function definitions(rows) {
  return rows.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]);
}

function drawDecisions() {
  $("decisions").hidden = records.count === 0;
  if (records.count === 0) return;
  chart.draw(records, state);
  table.show(records, records.select(state));
}

function setRange(from, to) {
  const local = (time) => (Number.isFinite(time) ? new Date(time).toISOString().slice(0, 23) : "");
  $("from").value = local(from);
  $("to").value = local(to);
  filter();
}

function filter() {
  state.lanes = new Set(LANES.filter((name) => $(`lane-${name}`).checked));
  state.words = $("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  state.from = $("from").value === "" ? -Infinity : Date.parse($("from").value + "Z");
  state.to = $("to").value === "" ? Infinity : Date.parse($("to").value + "Z");
  table.rewind();
  drawDecisions();
}

async function showRecord(row) {
  const blob = $("journal").files[0];
  const offset = records.column("offset")[row];
  const line = await blob.slice(offset, offset + records.column("size")[row]).text();
  $("record-title").textContent = `Line ${(row + 1).toLocaleString("en")}`;
  $("record-text").textContent = JSON.stringify(JSON.parse(line), null, 2);
  $("record").showModal();
}

function describeFile() {
  const file = $("journal").files[0];
  $("journal-name").textContent = file ? `${file.name}, ${counted(file.size, "byte")}` : "or drop it here";
}

$("form").addEventListener("submit", begin);
$("journal").addEventListener("change", describeFile);
$("filters").addEventListener("input", filter);
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("clear").addEventListener("click", () => {
  $("filters").reset();
  setRange(-Infinity, Infinity);
});
$("record-close").addEventListener("click", () => $("record").close());
addEventListener("resize", () => drawDecisions());
for (const type of ["dragover", "drop"]) {
  addEventListener(type, (event) => {
    event.preventDefault(); // a file dropped beside the box must not replace the page
    $("drop").classList.toggle("over", type === "dragover");
    if (type !== "drop" || event.dataTransfer.files.length === 0) return;
    $("journal").files = event.dataTransfer.files;
    describeFile();
  });
}
addEventListener("dragleave", () => $("drop").classList.remove("over"));
