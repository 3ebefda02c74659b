// The worker: reads, verifies, and sends the page what it draws, batch by batch, so that the page never waits.

/** Rows as columns of numbers. Texts are sent once and then named by their number. */
class Rows {
  #numbers = new Map();
  #fresh = [];

  #text(text) {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(text, number);
      this.#fresh.push(text);
    }
    return number;
  }

  /** The message for a batch of verified `[fields, line]` pairs. */
  pack(verified) {
    const columns = Object.fromEntries(ROW_COLUMNS.map(([name, Type]) => [name, new Type(verified.length)]));
    for (const [at, [fields, line]] of verified.entries()) {
      columns.offset[at] = line.offset;
      columns.size[at] = line.bytes.length;
      columns.time[at] = Date.parse(fields.timestamp);
      columns.kind[at] = this.#text(fields.kind);
      columns.verdict[at] = this.#text(shown(fields.verdict));
      columns.target[at] = this.#text(targetOf(fields));
      columns.rule[at] = this.#text([fields.matched_pillar, fields.matched_vector].map(shown).filter(Boolean).join(" / "));
      columns.reason[at] = this.#text(fields.reason);
      columns.coverage[at] = this.#text(fields.coverage);
      const id = /^cert_([0-9a-f]{8})([0-9a-f]{8})$/.exec(fields.certificate_id);
      columns.idHigh[at] = id ? parseInt(id[1], 16) : 0;
      columns.idLow[at] = id ? parseInt(id[2], 16) : 0;
    }
    const texts = this.#fresh;
    this.#fresh = [];
    return { type: "rows", count: verified.length, columns, texts };
  }
}

function shown(value) {
  return value === null ? "" : typeof value === "string" ? value : canonical(value);
}

function targetOf({ request }) {
  if (request === null) return "";
  return `${shown(request.method)} ${shown(request.scheme)}://${shown(request.host)}:${shown(request.port)}`;
}

async function keysFrom(documents) {
  const keys = new Map();
  for (const { name, bytes } of documents) {
    try {
      for (const key of await trustedKeys(bytes)) keys.set(`${key.id} ${key.algorithm}`, key);
    } catch (error) {
      if (error instanceof UnusableKey) throw new UnusableKey(`${name}: ${error.message}`);
      throw error;
    }
  }
  return keys;
}

onmessage = async ({ data: { blob, documents, requireExternal } }) => {
  try {
    const keys = await keysFrom(documents);
    postMessage({ type: "keys", keys: [...keys.values()].map(({ algorithm, id }) => ({ algorithm, id })) });
    const rows = new Rows();
    const follow = (verified) => {
      if (verified.length === 0) return;
      const message = rows.pack(verified);
      postMessage(message, Object.values(message.columns).map((column) => column.buffer));
    };
    postMessage({ type: "report", report: await walk(blob, keys, requireExternal, follow) });
  } catch (error) {
    const usage = error instanceof UnusableKey;
    const detail = usage ? error.message : `the journal could not be read: ${error.name}: ${error.message}`;
    postMessage({ type: "failed", usage, detail });
  }
};
