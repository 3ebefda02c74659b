// Decisions over time: one lane for each verdict, each on its own scale, so that one block among a million allows shows.

const LANE_HEIGHT = 52;
const LANE_GAP = 20;
const AXIS_HEIGHT = 26;
const BAR = 6; // pixels, with its gap
const MOST_MARKS = 400;
const SVG = "http://www.w3.org/2000/svg";

class Chart {
  #svg;
  #note;
  #onRange;
  #scale = null;
  #dragged = null;

  /** `onRange(from, to)` is told which span of time was drawn over, in milliseconds. */
  constructor(svg, note, onRange) {
    this.#svg = svg;
    this.#note = note;
    this.#onRange = onRange;
    svg.addEventListener("pointerdown", (event) => this.#begin(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    svg.addEventListener("pointerup", (event) => this.#end(event));
    svg.addEventListener("pointercancel", () => this.#clear());
  }

  /** Draws all records; those outside `from` to `to` fade. */
  draw(records, { from, to }) {
    const width = Math.max(320, Math.floor(this.#svg.clientWidth || this.#svg.parentElement.clientWidth));
    const time = records.column("time");
    const lane = records.lanes();
    const [first, last] = span(time);
    this.#svg.replaceChildren();
    if (first > last) return;
    const bars = Math.max(1, Math.floor(width / BAR));
    const step = Math.max(1, (last - first + 1) / bars);
    this.#scale = { first, step, width };
    const counts = LANES.map(() => new Uint32Array(bars));
    for (let row = 0; row < time.length; row += 1) {
      if (!Number.isNaN(time[row])) counts[lane[row]][Math.min(bars - 1, Math.floor((time[row] - first) / step))] += 1;
    }
    const shownLanes = LANES.slice(1).filter((name, at) => at < 3 || counts[at + 1].some(Boolean));
    const inRange = (bar) => first + (bar + 1) * step > from && first + bar * step <= to;
    shownLanes.forEach((name, at) => this.#lane(name, counts[LANES.indexOf(name)], at, step, first, inRange));
    const bottom = shownLanes.length * (LANE_HEIGHT + LANE_GAP);
    this.#marks(records, lane, time, bottom);
    this.#axis(bottom + LANE_GAP, first, last, width);
    const height = bottom + LANE_GAP + AXIS_HEIGHT;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.setAttribute("height", height);
    const totals = shownLanes.map((name) => `${sum(counts[LANES.indexOf(name)]).toLocaleString("en")} ${name}`);
    this.#note.textContent =
      `${totals.join(", ")}, from ${timeText(first)} to ${timeText(last)}. ` +
      `A bar is ${duration(step)}; each verdict has its own scale. Drag over a span to list only its records.`;
  }

  #lane(name, counts, at, step, first, inRange) {
    const top = at * (LANE_HEIGHT + LANE_GAP) + LANE_GAP;
    const most = counts.reduce((a, b) => Math.max(a, b), 0);
    const title = `${name}  ${most === 0 ? "none" : `at most ${most.toLocaleString("en")} a bar`}`;
    this.#svg.append(svgElement("text", { x: 0, y: top - 6, class: "lane-name" }, title));
    const path = (wanted) => {
      let drawn = "";
      counts.forEach((count, bar) => {
        if (count === 0 || inRange(bar) !== wanted) return;
        const height = Math.max(3, (count / most) * LANE_HEIGHT);
        drawn += `M${bar * BAR} ${top + LANE_HEIGHT}v${-height}h${BAR - 1}v${height}z`;
      });
      return drawn;
    };
    this.#svg.append(
      svgElement("line", { x1: 0, x2: "100%", y1: top + LANE_HEIGHT, y2: top + LANE_HEIGHT, class: "ground" }),
      svgElement("path", { d: path(true), class: `bar ${name}` }),
      svgElement("path", { d: path(false), class: `bar ${name} faded` }),
    );
  }

  /** The journal's own records: where sessions begin and end, and what else happened to it. */
  #marks(records, lane, time, top) {
    const symbols = { session_open: "▸", session_close: "▪", heartbeat: "" };
    const kinds = records.column("kind");
    let marks = 0;
    for (let row = 0; row < time.length && marks < MOST_MARKS; row += 1) {
      if (lane[row] !== 0 || Number.isNaN(time[row])) continue;
      const kind = records.texts[kinds[row]];
      const symbol = symbols[kind] ?? "◆";
      if (symbol === "") continue;
      const x = Math.min(this.#scale.width - 8, (time[row] - this.#scale.first) / this.#scale.step * BAR);
      const mark = svgElement("text", { x, y: top + 12, class: "mark" }, symbol);
      mark.append(svgElement("title", {}, `${kind} ${timeText(time[row])}`));
      this.#svg.append(mark);
      marks += 1;
    }
  }

  #axis(top, first, last, width) {
    const ticks = Math.max(2, Math.min(8, Math.floor(width / 170)));
    const oneDay = timeText(first).slice(0, 10) === timeText(last).slice(0, 10);
    for (let tick = 0; tick < ticks; tick += 1) {
      const at = first + ((last - first) * tick) / (ticks - 1);
      const text = timeText(at);
      const label = last - first < 10000 ? text.slice(11, 23) : oneDay ? text.slice(11, 19) : text.slice(0, 16).replace("T", " ");
      const anchor = tick === 0 ? "start" : tick === ticks - 1 ? "end" : "middle";
      const x = (width * tick) / (ticks - 1);
      this.#svg.append(svgElement("text", { x, y: top + 16, class: "tick", "text-anchor": anchor }, label));
    }
  }

  #x(event) {
    const box = this.#svg.getBoundingClientRect();
    return Math.max(0, Math.min(box.width, event.clientX - box.left)) * (this.#scale.width / box.width);
  }

  #begin(event) {
    if (this.#scale === null || event.button !== 0) return;
    this.#svg.setPointerCapture(event.pointerId);
    const x = this.#x(event);
    this.#dragged = { x, box: svgElement("rect", { x, y: 0, width: 0, height: "100%", class: "dragged" }) };
    this.#svg.append(this.#dragged.box);
  }

  #move(event) {
    if (this.#dragged === null) return;
    const x = this.#x(event);
    this.#dragged.box.setAttribute("x", Math.min(x, this.#dragged.x));
    this.#dragged.box.setAttribute("width", Math.abs(x - this.#dragged.x));
  }

  #end(event) {
    if (this.#dragged === null) return;
    const ends = [this.#dragged.x, this.#x(event)].sort((a, b) => a - b);
    const clicked = ends[1] - ends[0] < 3;
    const bars = [Math.floor(ends[0] / BAR), Math.floor(ends[1] / BAR)];
    this.#clear();
    const { first, step } = this.#scale;
    if (clicked) this.#onRange(-Infinity, Infinity);
    else this.#onRange(Math.floor(first + bars[0] * step), Math.ceil(first + (bars[1] + 1) * step));
  }

  #clear() {
    this.#dragged?.box.remove();
    this.#dragged = null;
  }
}

function span(time) {
  let first = Infinity;
  let last = -Infinity;
  for (const each of time) {
    if (each < first) first = each;
    if (each > last) last = each;
  }
  return [first, last];
}

function sum(counts) {
  return counts.reduce((a, b) => a + b, 0);
}

function duration(milliseconds) {
  const units = [["day", 86400000], ["hour", 3600000], ["minute", 60000], ["second", 1000], ["millisecond", 1]];
  const [unit, size] = units.find(([, each]) => milliseconds >= each);
  const number = Math.round((milliseconds / size) * 10) / 10;
  return counted(number, unit);
}

function svgElement(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
