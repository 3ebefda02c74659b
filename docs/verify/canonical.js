// Canonical bytes (RFC 8785) and the rules on values: what eve_proxy/signing/canonical.py does, on JSON.parse's values.

const LARGEST = Number.MAX_SAFE_INTEGER; // RFC 7493 section 2.2: beyond it integers are not exact
const DEEPEST = 8;
const WIDEST = 256;
const LONGEST_TEXT = 4096;

/** Something that is not a certificate, or no longer. `fault` is one of the command's names for what was done. */
class Unacceptable extends Error {
  constructor(fault, detail) {
    super(detail);
    this.fault = fault;
    this.detail = detail;
  }
}

class NotCanonical extends Error {}

/** Throws NotCanonical for a value that has no place in a certificate. */
function checkPlain(value, depth) {
  switch (typeof value) {
    case "string":
      if (value.length > LONGEST_TEXT) throw new NotCanonical("a string is too long");
      return;
    case "number":
      checkNumber(value);
      return;
    case "boolean":
      return;
  }
  if (value === null) return;
  if (depth === DEEPEST) throw new NotCanonical("nested too deeply");
  if (Array.isArray(value)) {
    if (value.length > WIDEST) throw new NotCanonical("an array is too long");
    for (const member of value) checkPlain(member, depth + 1);
    return;
  }
  const keys = Object.keys(value);
  if (keys.length > WIDEST) throw new NotCanonical("an object has too many keys");
  for (const key of keys) {
    if (key.length > LONGEST_TEXT || !/^[\x00-\x7f]*$/.test(key)) throw new NotCanonical("a key is not short ASCII text");
  }
  for (const key of keys) checkPlain(value[key], depth + 1);
}

function checkNumber(value) {
  if (!(value >= -LARGEST && value <= LARGEST)) throw new NotCanonical("a number is not finite or too large");
  // toFixed rounds the exact binary value: only the double nearest to a number of three decimals comes back.
  if (!Number.isInteger(value) && Number(value.toFixed(3)) !== value) {
    throw new NotCanonical("a number has more than three decimals");
  }
}

/** RFC 8785: no spaces, keys sorted (ASCII only here), ECMAScript's own numbers and escapes. */
function canonical(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) return "[" + value.map(canonical).join(",") + "]";
  return spellObject(value, Object.keys(value).sort());
}

/** An object with its keys in the given order and everything below them sorted. */
function spellObject(value, keys) {
  return "{" + keys.map((key) => JSON.stringify(key) + ":" + canonical(value[key])).join(",") + "}";
}
