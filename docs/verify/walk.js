// Walking a whole journal: every line, the chain, and what is known about its end, streamed.
// What eve_proxy/signing/verification.py and journal_walk.py do: same answers, same words.

const EXIT = { whole: 0, tampered: 1, usage: 2, unproven: 3, untrusted: 4 };
const GENESIS = "sha256-" + "0".repeat(64);
const LONGEST = 4097; // a line never exceeds 4,096 bytes, plus its newline
const PIECE = 1 << 20; // bytes read at a time
const BATCH = 512; // lines whose signatures are under way together
const MOST_KINDS = 32;
const NEWLINE = 10;

/** The journal's lines in batches of `{bytes, offset}`, newlines included; what is longer than any line, in pieces. */
async function* batches(blob) {
  let left = new Uint8Array(0);
  for (let read = 0; read < blob.size; read += PIECE) {
    const more = new Uint8Array(await blob.slice(read, read + PIECE).arrayBuffer());
    const bytes = new Uint8Array(left.length + more.length);
    bytes.set(left);
    bytes.set(more, left.length);
    const base = read - left.length;
    let lines = [];
    let start = 0;
    for (;;) {
      const newline = bytes.indexOf(NEWLINE, start);
      let end = newline < 0 ? bytes.length : newline + 1;
      if (end - start > LONGEST) end = start + LONGEST;
      else if (newline < 0 && end - start < LONGEST) break;
      lines.push({ bytes: bytes.subarray(start, end), offset: base + start });
      start = end;
      if (lines.length === BATCH) {
        yield lines;
        lines = [];
      }
    }
    if (lines.length) yield lines;
    left = bytes.slice(start);
  }
  if (left.length) yield [{ bytes: left, offset: blob.size - left.length }];
}

/** The fields of one line, its hash and signature checked. Throws Unacceptable. */
async function judge(line, keys) {
  const { bytes } = line;
  if (bytes.at(-1) !== NEWLINE && bytes.length < LONGEST) throw new Torn();
  const fields = readLine(bytes.subarray(0, -1));
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(covered(fields)));
  const actual = "sha256-" + hexOf(digest);
  if (actual !== fields.content_hash) {
    const error = new Unacceptable("edited", "a value was changed: the content hash does not match");
    throw Object.assign(error, { facts: [["the values hash to", actual], ["the line states", fields.content_hash]] });
  }
  const key = keys.get(`${fields.key_id} ${fields.algorithm}`);
  if (key === undefined) {
    const error = new Unacceptable("untrusted-key", "signed with a key that is not among the trusted keys");
    throw Object.assign(error, { facts: [["signed with", `${fields.algorithm} ${fields.key_id}`]] });
  }
  if (!(await key.verify(encoder.encode(actual), fields.signature))) {
    throw new Unacceptable("edited", "the signature is not the one this key makes");
  }
  return fields;
}

/** The last line has no end. */
class Torn extends Error {}

/** The line that should be here is not: a later one of the same journal is. */
class Missing extends Error {
  constructor(id, expected, found) {
    super();
    Object.assign(this, { id, expected, found });
  }
}

/** The chain so far, and the counts. */
class Walk {
  records = 0;
  head = null;
  kinds = new Map();
  verdicts = new Map();
  follows = [];
  lastKind = "";
  signedBy = null; // the key id that the last record has
  announced = null; // the key id that the last record names, when it is a key_rotation

  /** Takes one more line. Throws Unacceptable or Missing. */
  accept(fields) {
    const log = fields.log;
    if (log === null) throw new Unacceptable("inserted", "a certificate that was never part of a journal");
    const expected = this.head ?? { id: log.id, seq: 0, prev: GENESIS };
    if (log.id !== expected.id) throw linked("a record of another journal", expected.id, log.id);
    if (log.seq > expected.seq) throw new Missing(expected.id, expected.seq, log.seq);
    if (log.seq < expected.seq) {
      throw new Unacceptable("duplicated", `record ${log.seq} again, where record ${expected.seq} belongs`);
    }
    if (log.prev !== expected.prev) {
      throw linked(`record ${log.seq} of another history of this journal`, expected.prev, log.prev);
    }
    this.checkKey(fields);
    this.head = { id: expected.id, seq: expected.seq + 1, prev: fields.content_hash };
    this.count(fields);
  }

  /** A log changes its key only where a record says so: that a trusted key signed is not enough. */
  checkKey({ key_id: id, kind, record }) {
    let right;
    if (kind === "session_open") {
      // Between two sessions anything may have been configured; the new one says what it found.
      right = this.signedBy === null || (record?.previous_key_id || id) === this.signedBy;
    } else {
      right = id === (this.announced || this.signedBy || id);
    }
    if (!right) {
      throw new Unacceptable("key-changed", `signed with the key ${id}, which no record before it announces`);
    }
    this.signedBy = id;
    const named = kind === "key_rotation" ? record?.key_id : null;
    this.announced = typeof named === "string" ? named : null;
  }

  count(fields) {
    this.records += 1;
    this.lastKind = fields.kind;
    add(this.kinds, fields.kind);
    if (typeof fields.verdict === "string") add(this.verdicts, fields.verdict);
    const damaged = fields.record?.damaged_sha256;
    if (fields.kind === "session_open" && fields.log.seq === 0 && typeof damaged === "string") this.follows = [damaged];
  }

  /** The report on a journal without a faulty line. */
  end(requireExternal) {
    if (this.lastKind !== "session_close") {
      const detail = "every line verifies, but no session_close ends the journal: later lines may be missing";
      return this.report(EXIT.unproven, "truncated", null, detail);
    }
    if (requireExternal) {
      const detail = "nothing from elsewhere, checkpoint or witness, proves the end";
      return this.report(EXIT.unproven, "self-proven", null, detail);
    }
    return this.report(EXIT.whole, null, null, "");
  }

  report(exit, fault, line, detail, more = {}) {
    const { records, head, kinds, verdicts, follows } = this;
    const closed = this.lastKind === "session_close";
    return { exit, fault, line, detail, records, head, kinds, verdicts, follows, closed, ...more };
  }
}

function linked(detail, expected, found) {
  return Object.assign(new Unacceptable("inserted", detail), { facts: [["here belongs", expected], ["here is", found]] });
}

function add(counts, name) {
  if (!counts.has(name) && counts.size >= MOST_KINDS) name = "other"; // in bounded memory whatever the names are
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/**
 * Examines a journal (a Blob) from its first line; the first fault ends it.
 * `keys` maps "key_id algorithm" to keys; `follow(verified)` is given `[fields, line]` pairs as they verify.
 */
async function walk(blob, keys, requireExternal, follow) {
  const walker = new Walk();
  const source = batches(blob);
  for await (const lines of source) {
    const judged = lines.map((line) => judge(line, keys).then((fields) => ({ fields }), (error) => ({ error })));
    const verified = [];
    for (const [at, line] of lines.entries()) {
      const { fields, error } = await judged[at];
      try {
        if (error) throw error;
        walker.accept(fields);
      } catch (fault) {
        follow(verified);
        return await faulty(walker, fault, line, lines.slice(at + 1), source);
      }
      verified.push([fields, line]);
    }
    follow(verified);
  }
  return walker.end(requireExternal);
}

async function faulty(walker, error, line, rest, source) {
  const number = walker.records + 1;
  const place = { offset: line.offset, size: line.bytes.length, text: new TextDecoder().decode(line.bytes) };
  if (error instanceof Torn) {
    return walker.report(EXIT.unproven, "truncated", number, "the last line is incomplete", { place });
  }
  if (error instanceof Missing) {
    const [fault, detail] = await nameGap(error, rest, source);
    return walker.report(EXIT.tampered, fault, number, detail, { place });
  }
  if (!(error instanceof Unacceptable)) throw error;
  const { fault, facts, respelled } = error;
  let { detail } = error;
  if (fault === "untrusted-key" && walker.announced !== null) {
    detail = `signed with a key that is not trusted; the key_rotation before it names ${walker.announced}`;
  }
  const exit = fault === "untrusted-key" ? EXIT.untrusted : EXIT.tampered;
  return walker.report(exit, fault, number, detail, { place, facts, respelled });
}

/** A line that is missing where it should be was dropped, unless it comes later: then lines were swapped. */
async function nameGap(gap, rest, source) {
  const isIt = ({ bytes }) => {
    try {
      const { log } = readLine(bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes);
      return log !== null && log.id === gap.id && log.seq === gap.expected;
    } catch (error) {
      if (error instanceof Unacceptable) return false;
      throw error;
    }
  };
  for (let lines = rest; lines !== undefined; lines = (await source.next()).value) {
    if (lines.some(isIt)) {
      const detail = `record ${gap.found} stands where record ${gap.expected} belongs, which comes later`;
      return ["swapped", detail];
    }
  }
  return ["dropped", `record ${gap.expected} is missing: record ${gap.found} stands in its place`];
}
