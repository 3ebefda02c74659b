// What the page keeps of a journal: about 50 bytes a record, and each distinct text once.

class Records {
  count = 0;
  texts = [];
  #columns = Object.fromEntries(ROW_COLUMNS.map(([name, Type]) => [name, new Type(1024)]));

  /** Takes a message of the worker. */
  append({ count, columns, texts }) {
    for (const text of texts) this.texts.push(text);
    for (const [name, Type] of ROW_COLUMNS) {
      let column = this.#columns[name];
      if (this.count + count > column.length) {
        const larger = new Type(Math.max(2 * column.length, this.count + count));
        larger.set(column);
        column = this.#columns[name] = larger;
      }
      column.set(columns[name], this.count);
    }
    this.count += count;
  }

  /** One column of all records: numbers, or numbers of texts. */
  column(name) {
    return this.#columns[name].subarray(0, this.count);
  }

  text(name, row) {
    return this.texts[this.#columns[name][row]];
  }

  id(row) {
    const [high, low] = ["idHigh", "idLow"].map((name) => this.#columns[name][row].toString(16).padStart(8, "0"));
    return `cert_${high}${low}`;
  }

  /** What a record is filtered and drawn as: its verdict, or "journal" for what is not a decision. */
  lanes() {
    const verdictLane = this.texts.map((text) => Math.max(0, LANES.indexOf(text)));
    return this.column("verdict").map((number) => verdictLane[number]);
  }

  /** Numbers of the records that pass. */
  select({ lanes, words, from, to }) {
    const lane = this.lanes();
    const time = this.column("time");
    const wanted = LANES.map((name) => lanes.has(name));
    const matchers = words.map((word) => this.#matcher(word));
    const found = new Uint32Array(this.count);
    let size = 0;
    for (let row = 0; row < this.count; row += 1) {
      if (!wanted[lane[row]] || time[row] < from || time[row] > to) continue;
      if (matchers.every((matches) => matches(row))) {
        found[size] = row;
        size += 1;
      }
    }
    return found.subarray(0, size);
  }

  /** Whether a word occurs in one of a record's texts or in its id; each distinct text is searched once. */
  #matcher(word) {
    const has = this.texts.map((text) => text.toLowerCase().includes(word));
    const columns = ["kind", "verdict", "target", "rule", "reason", "coverage"].map((name) => this.column(name));
    const maybeId = /^(?:cert_)?[0-9a-f]+$/.test(word);
    return (row) => columns.some((column) => has[column[row]]) || (maybeId && this.id(row).includes(word));
  }
}

// The first one is for all records that are not decisions.
const LANES = ["journal", "allow", "block", "fail_closed", "fail_open"];

/** A time as certificates spell it. */
function timeText(milliseconds) {
  return Number.isNaN(milliseconds) ? "?" : new Date(milliseconds).toISOString();
}

function counted(number, word) {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}
