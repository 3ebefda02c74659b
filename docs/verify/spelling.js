// Reading a certificate back, and the one spelling of its line: what eve_proxy/signing/spelling.py does.

const SCHEMA = "eve.decision/1";
const FIELDS = [
  "certificate_id", "verdict", "reason", "matched_pillar", "matched_vector", "caller", "org_id", "latency_ms",
  "timestamp", "content_hash", "signature", "algorithm", "schema", "kind", "key_id", "parent", "request",
  "coverage", "governor", "policy", "decision_ref", "witness", "record", "log",
];
const COVERED = FIELDS.filter((name) => name !== "content_hash" && name !== "signature").sort();
const NESTED = {
  request: ["method", "scheme", "host", "port", "path_sha256", "body_sha256", "body_bytes", "request_id"],
  policy: ["set", "sha256"],
  witness: ["seq", "prev", "key_id", "signature"],
  log: ["id", "seq", "prev"],
};
const TEXTS = [
  "certificate_id", "reason", "caller", "org_id", "timestamp", "content_hash", "signature", "algorithm", "schema",
  "kind", "key_id", "coverage", "governor",
];
const DEEPEST_JSON = 1024; // what the command's parser reads

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Throws Unacceptable unless `value` has exactly the fields of a certificate, each of its type. */
function checkFields(value) {
  if (!isObject(value) || Object.keys(value).length !== FIELDS.length) {
    throw new Unacceptable("edited", "not a certificate: its fields are not those of " + SCHEMA);
  }
  try {
    checkPlain(value, 0);
  } catch (error) {
    if (error instanceof NotCanonical) throw new Unacceptable("edited", "not a certificate: " + error.message);
    throw error;
  }
  for (const name of FIELDS) {
    if (!Object.hasOwn(value, name)) throw new Unacceptable("edited", "not a certificate: it lacks " + name);
  }
  for (const [name, keys] of Object.entries(NESTED)) {
    const nested = value[name];
    if (nested === null) continue;
    const same = isObject(nested) && Object.keys(nested).length === keys.length;
    if (!same || !keys.every((key) => Object.hasOwn(nested, key))) {
      throw new Unacceptable("edited", `not a certificate: the fields of ${name} are not those of ${SCHEMA}`);
    }
  }
  if (TEXTS.some((name) => typeof value[name] !== "string") || value.schema !== SCHEMA) {
    throw new Unacceptable("edited", "not a certificate of the schema " + SCHEMA);
  }
  if (value.record !== null && !isObject(value.record)) {
    throw new Unacceptable("edited", "not a certificate: record is not an object");
  }
  const log = value.log;
  if (log !== null && !(typeof log.id === "string" && Number.isInteger(log.seq) && typeof log.prev === "string")) {
    throw new Unacceptable("edited", "not a certificate: log is not a place in a journal");
  }
}

/** The line as it has to be spelled: compact, keys in the table's order, what is below them sorted. */
function spell(fields) {
  const members = FIELDS.map((name) => {
    const value = fields[name];
    const text = name in NESTED && value !== null ? spellObject(value, NESTED[name]) : canonical(value);
    return `"${name}":${text}`;
  });
  return "{" + members.join(",") + "}";
}

/** The text that is hashed: every field but content_hash and signature. */
function covered(fields) {
  return spellObject(fields, COVERED);
}

/**
 * The certificate in a line (bytes without newline).
 * Throws Unacceptable: `edited`, `respaced` or `duplicate-keys`; `at` is the first byte that is spelled otherwise.
 */
function readLine(bytes) {
  let text, value;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new Unacceptable("edited", "not a line of JSON");
  }
  let respelled;
  try {
    checkFields(value);
    respelled = spell(value);
  } catch (error) {
    scan(text);
    throw error;
  }
  // JSON.parse takes half a surrogate pair, and JSON.stringify gives it back as it was.
  if (respelled !== text || text.includes("\\ud")) scan(text);
  if (respelled !== text) {
    const error = new Unacceptable(
      "respaced", "the same values in another spelling: spaces, key order, escapes or numbers");
    error.respelled = respelled;
    throw error;
  }
  return value;
}

/**
 * Reads JSON that JSON.parse accepts once more, character by character, for what JSON.parse does not tell.
 * Throws Unacceptable: `duplicate-keys`; `edited` for what other parsers do not take for JSON.
 */
function scan(text) {
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/gs;
  const open = []; // of each open object the keys so far, null for an array
  let keyNext = false;
  let twice = false;
  for (const [token] of text.matchAll(tokens)) {
    const first = token[0];
    if (first === "{" || first === "[") {
      open.push(first === "{" ? new Set() : null);
      if (open.length > DEEPEST_JSON) throw new Unacceptable("edited", "not a line of JSON");
      keyNext = first === "{";
    } else if (first === "}" || first === "]") {
      open.pop();
      keyNext = false;
    } else if (first === ",") {
      keyNext = open.at(-1) !== null;
    } else if (first === ":") {
      keyNext = false;
    } else if (first === '"') {
      const string = JSON.parse(token);
      if (!string.isWellFormed()) throw new Unacceptable("edited", "not a line of JSON");
      if (keyNext) {
        twice ||= open.at(-1).has(string);
        open.at(-1).add(string);
      }
    } else if (Math.abs(Number(token)) === Infinity) {
      throw new Unacceptable("edited", "not a line of JSON");
    }
  }
  if (twice) throw new Unacceptable("duplicate-keys", "a key occurs twice in one object");
}
