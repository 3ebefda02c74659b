// Trusted keys: a secret, PEM, JWK or JWKS. The key's type decides the algorithm, never the certificate.
// What eve_proxy/signing/secret.py, public_key.py and key_document.py do, on WebCrypto.

const encoder = new TextEncoder();
const ED25519_SPKI = hexBytes("302a300506032b6570032100"); // RFC 8410: the key's 32 bytes follow
const P256_SPKI = hexBytes("3059301306072a8648ce3d020106082a8648ce3d03010703420004"); // RFC 5480: x and y follow
const P256_HALF = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551") / 2n;
const MOST_KEYS = 256;

/** What the person at the page has to change: a key that is none. Never quotes it. */
class UnusableKey extends Error {}

function hexBytes(digits) {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function hexOf(buffer) {
  let text = "";
  for (const octet of new Uint8Array(buffer)) text += HEX[octet];
  return text;
}
const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** The bytes behind `tag` in a signature, null unless it is lower-case hex of whole bytes. */
function untagged(signature, tag) {
  const digits = signature.startsWith(tag) ? signature.slice(tag.length) : "?";
  return /^(?:[0-9a-f]{2})*$/.test(digits) ? hexBytes(digits) : null;
}

/** A key that checks signatures. `verify` takes the text of a content hash and a signature's text. */
async function secretKey(bytes) {
  if (bytes.length === 0) throw new UnusableKey("the signing secret is empty");
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes, hmac, false, ["sign"]);
  const label = await crypto.subtle.sign("HMAC", key, encoder.encode("eve key id/1"));
  return {
    algorithm: "HMAC-SHA256",
    id: base64url(label).slice(0, 16),
    async verify(hash, signature) {
      return signature === "hmac-" + hexOf(await crypto.subtle.sign("HMAC", key, hash));
    },
  };
}

async function ed25519Key(raw) {
  const key = await importSpki(concatenated(ED25519_SPKI, raw), { name: "Ed25519" });
  return {
    algorithm: "Ed25519",
    id: await keyId(concatenated(ED25519_SPKI, raw)),
    async verify(hash, signature) {
      const bytes = untagged(signature, "ed25519-");
      return bytes !== null && bytes.length === 64 && crypto.subtle.verify("Ed25519", key, bytes, hash);
    },
  };
}

async function p256Key(x, y) {
  const spki = concatenated(P256_SPKI, x, y);
  const key = await importSpki(spki, { name: "ECDSA", namedCurve: "P-256" });
  return {
    algorithm: "ECDSA-P256-SHA256",
    id: await keyId(spki),
    async verify(hash, signature) {
      const bytes = untagged(signature, "ecdsa-p256-");
      const raw = bytes === null ? null : rawSignature(bytes);
      return raw !== null && crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, raw, hash);
    },
  };
}

async function importSpki(spki, algorithm) {
  try {
    return await crypto.subtle.importKey("spki", spki, algorithm, false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") {
      throw new UnusableKey(`this browser cannot check ${algorithm.name} signatures; use a newer one, or the command`);
    }
    throw new UnusableKey("a key that is not well formed");
  }
}

async function keyId(spki) {
  return base64url(await crypto.subtle.digest("SHA-256", spki)).slice(0, 16);
}

function concatenated(...parts) {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** r and s of 32 bytes each (what WebCrypto takes) of a strict DER signature whose s is the smaller one, else null. */
function rawSignature(der) {
  if (der.length < 8 || der[0] !== 0x30 || der[1] !== der.length - 2 || der[1] > 0x7f) return null;
  const raw = new Uint8Array(64);
  let at = 2;
  for (const end of [32, 64]) {
    const size = der[at + 1];
    const integer = der.subarray(at + 2, at + 2 + size);
    if (der[at] !== 0x02 || size === 0 || size > 33 || integer.length !== size || integer[0] > 0x7f) return null;
    if (integer[0] === 0 && (size === 1 || integer[1] < 0x80)) return null; // zero, or not the shortest form
    const significant = integer[0] === 0 ? integer.subarray(1) : integer;
    if (significant.length > 32) return null;
    raw.set(significant, end - significant.length);
    at += 2 + size;
  }
  return at === der.length && BigInt("0x" + hexOf(raw.subarray(32))) <= P256_HALF ? raw : null;
}

/** The keys in a document or, for whatever is no document, the secret. A document is never taken as a secret. */
async function trustedKeys(bytes) {
  const text = new TextDecoder("utf-8").decode(bytes); // without a byte order mark
  if (text.includes("-----BEGIN ")) return atLeastOne(await pemKeys(text));
  const document = jsonDocument(text.trim());
  return document === undefined ? [await secretKey(bytes)] : atLeastOne(await jwkKeys(document));
}

function atLeastOne(keys) {
  if (keys.length === 0) throw new UnusableKey("no Ed25519 or P-256 public key in it");
  return keys;
}

/** The value of a JWK or JWKS text, undefined for anything else. */
function jsonDocument(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const members = Array.isArray(value) ? value : [value];
  const isJwk = (member) => isObject(member) && (Object.hasOwn(member, "kty") || Object.hasOwn(member, "keys"));
  return members.some(isJwk) ? value : undefined;
}

async function pemKeys(text) {
  const keys = [];
  for (const [, label, body] of text.matchAll(/-----BEGIN ([A-Z0-9 ]{1,40})-----(.*?)-----END \1-----/gs)) {
    if (label.endsWith("PRIVATE KEY")) {
      throw new UnusableKey("a private key: verify with the public one (openssl pkey -pubout)");
    }
    if (label !== "PUBLIC KEY") throw new UnusableKey(`a PEM block ${label}; a public key is in a block PUBLIC KEY`);
    keys.push(await spkiKey(decoded(body.replace(/\s/g, ""))));
  }
  return keys;
}

async function spkiKey(spki) {
  const begins = (prefix, size) => spki.length === size && prefix.every((octet, at) => spki[at] === octet);
  if (begins(ED25519_SPKI, 44)) return ed25519Key(spki.subarray(12));
  if (begins(P256_SPKI, 91)) return p256Key(spki.subarray(27, 59), spki.subarray(59));
  throw new UnusableKey("a public key that is neither Ed25519 nor on the curve P-256 (with both coordinates)");
}

function decoded(base64) {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    throw new UnusableKey("a PUBLIC KEY that cannot be read");
  }
}

async function jwkKeys(document) {
  const members = isObject(document) && Object.hasOwn(document, "keys") ? document.keys : [document];
  if (!Array.isArray(members) || members.length > MOST_KEYS) {
    throw new UnusableKey("not a JWKS: keys is not a list of at most 256");
  }
  const names = new Set();
  const keys = [];
  for (const member of members) {
    if (!isObject(member)) throw new UnusableKey("not a JWKS: a key is not an object");
    const key = await jwkKey(member);
    // A document that gives one name to two keys leaves it to each reader which of them is meant.
    claim(names, member.kid ?? null, key);
    if (key !== null) keys.push(key);
  }
  return keys;
}

function claim(names, kid, key) {
  if (kid !== null && typeof kid !== "string") throw new UnusableKey("a kid that is not a text");
  const mine = new Set([kid, key?.id ?? null].filter((name) => name !== null));
  for (const name of mine) {
    if (names.has(name)) throw new UnusableKey("two keys with one kid");
    names.add(name);
  }
}

/** The key, or null for one of another type or use. Its id is computed, whatever its `kid` says. */
async function jwkKey(jwk) {
  if (Object.hasOwn(jwk, "d")) throw new UnusableKey("a private key among the public ones");
  if (jwk.kty === "oct") throw new UnusableKey("a symmetric key among the public ones");
  const algorithms = { "OKP Ed25519": ["EdDSA", "Ed25519"], "EC P-256": ["ES256"] }[`${jwk.kty} ${jwk.crv}`];
  const given = { use: "sig", alg: algorithms?.[0], ...jwk };
  if (algorithms === undefined || given.use !== "sig") return null;
  if (!algorithms.includes(given.alg)) throw new UnusableKey("a key whose alg is not that of its type");
  return jwk.kty === "OKP" ? ed25519Key(coordinate(jwk.x)) : p256Key(coordinate(jwk.x), coordinate(jwk.y));
}

/** 32 bytes, in the one spelling of base64url. */
function coordinate(text) {
  const spelled = typeof text === "string" && /^[A-Za-z0-9_-]{43}$/.test(text);
  const bytes = spelled ? decoded(text.replace(/-/g, "+").replace(/_/g, "/")) : [];
  if (bytes.length !== 32 || base64url(bytes) !== text) throw new UnusableKey("a key that is not well formed");
  return bytes;
}
