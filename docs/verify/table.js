// The filterable table: one page of rows at a time, the whole certificate on demand, read again from the file.

const ROWS_A_PAGE = 50;

class Table {
  #body;
  #status;
  #buttons;
  #open;
  #records = null;
  #found = new Uint32Array(0);
  #page = 0;

  /** `open(row)` shows one record. */
  constructor(body, status, buttons, open) {
    this.#body = body;
    this.#status = status;
    this.#buttons = buttons;
    this.#open = open;
    const turn = { first: () => 0, previous: () => this.#page - 1, next: () => this.#page + 1, last: () => Infinity };
    for (const [name, to] of Object.entries(turn)) {
      buttons[name].addEventListener("click", () => {
        this.#page = to();
        this.#draw();
      });
    }
  }

  /** Shows these records; stays on its page where it can. */
  show(records, found) {
    this.#records = records;
    this.#found = found;
    this.#draw();
  }

  rewind() {
    this.#page = 0;
  }

  #draw() {
    const pages = Math.max(1, Math.ceil(this.#found.length / ROWS_A_PAGE));
    this.#page = Math.max(0, Math.min(pages - 1, this.#page));
    const start = this.#page * ROWS_A_PAGE;
    const rows = this.#found.subarray(start, start + ROWS_A_PAGE);
    this.#body.replaceChildren(...Array.from(rows, (row) => this.#row(row)));
    const end = start + rows.length;
    const place = rows.length === 0 ? "no record" : `${(start + 1).toLocaleString("en")}–${end.toLocaleString("en")}`;
    const total = `${this.#found.length.toLocaleString("en")} found, ${counted(this.#records.count, "record")} verified`;
    this.#status.textContent = `${place} of ${total}`;
    this.#buttons.first.disabled = this.#buttons.previous.disabled = this.#page === 0;
    this.#buttons.next.disabled = this.#buttons.last.disabled = this.#page === pages - 1;
  }

  #row(row) {
    const records = this.#records;
    const verdict = records.text("verdict", row);
    const kind = records.text("kind", row);
    const line = (row + 1).toLocaleString("en");
    const time = timeText(records.column("time")[row]);
    const badge = LANES.includes(verdict) ? verdict : "journal";
    return element(
      "tr", {},
      element("th", { scope: "row" },
        element("button", { type: "button", class: "link", "aria-label": `Show line ${line}`,
          onclick: () => this.#open(row) }, line)),
      element("td", { class: "time" }, time.replace("T", " ").replace("Z", "")),
      element("td", {}, element("span", { class: `badge ${badge}` }, verdict === "" ? kind : verdict)),
      element("td", { class: "target" }, records.text("target", row)),
      element("td", {}, records.text("rule", row)),
      element("td", { class: "reason" }, records.text("reason", row)),
      element("td", {}, records.text("coverage", row)),
    );
  }
}
