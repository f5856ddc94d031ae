// A small map without any tiles: a graticule, all that the camera saw, where it is and what it sees.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 400;
const HEIGHT = 300;
const MARGIN = 24;
const STEPS = [60, 30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005];
const LINES = 3; // of a graticule, at least, across the shorter side

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

export class Chart {
  constructor(figure, extent, coverage) {
    this.figure = figure;
    this.svg = figure.querySelector("svg");
    const bounds = (extent || "").split(" ").map(Number);
    if (bounds.length === 4 && bounds.every(Number.isFinite)) this.#lay(bounds);
    if (coverage) this.#cover(coverage);
  }

  /** Lay the paper: [west, south, east, north] in degrees fills the picture. */
  #lay([west, south, east, north]) {
    this.middle = [(west + east) / 2, (south + north) / 2];
    this.shrink = Math.max(0.01, Math.cos((this.middle[1] * Math.PI) / 180));
    const wide = Math.max(1e-5, (east - west) * this.shrink);
    const high = Math.max(1e-5, north - south);
    this.scale = Math.min((WIDTH - 2 * MARGIN) / wide, (HEIGHT - 2 * MARGIN) / high);
    this.bounds = [west, south, east, north];
    this.svg.replaceChildren();
    this.#graticule();
    this.area = element("path", { class: "seen" }, this.svg);
    this.track = element("path", { class: "track" }, this.svg);
    this.footprint = element("path", { class: "footprint" }, this.svg);
    this.sight = element("path", { class: "sight" }, this.svg);
    this.sensor = element("path", { class: "sensor", d: "M 0 -9 L 6 7 L 0 3 L -6 7 Z" }, this.svg);
    this.sensor.style.display = "none"; // until it is known where it is
  }

  point([longitude, latitude]) {
    return [
      WIDTH / 2 + (longitude - this.middle[0]) * this.shrink * this.scale,
      HEIGHT / 2 - (latitude - this.middle[1]) * this.scale,
    ];
  }

  path(points, closed) {
    const text = points.map((each) => this.point(each).map((part) => part.toFixed(1)).join(" ")).join(" L ");
    return text && `M ${text}${closed ? " Z" : ""}`;
  }

  #graticule() {
    const shorter = HEIGHT / this.scale;
    const step = STEPS.find((each) => shorter / each >= LINES) ?? STEPS.at(-1);
    const digits = Math.max(0, Math.ceil(-Math.log10(step)));
    const [dx, dy] = [WIDTH / 2 / this.scale / this.shrink, HEIGHT / 2 / this.scale];
    const lines = (from, to) => {
      const found = [];
      for (let number = Math.ceil(from / step); number * step <= to; number += 1) found.push(number * step);
      return found;
    };
    for (const longitude of lines(this.middle[0] - dx, this.middle[0] + dx)) {
      const [x] = this.point([longitude, 0]);
      element("line", { class: "grid", x1: x, y1: 0, x2: x, y2: HEIGHT }, this.svg);
      const label = element("text", { x: x + 2, y: HEIGHT - 4 }, this.svg);
      label.textContent = `${Math.abs(longitude).toFixed(digits)}°${longitude < 0 ? "W" : "E"}`;
    }
    for (const latitude of lines(this.middle[1] - dy, this.middle[1] + dy)) {
      const [, y] = this.point([0, latitude]);
      element("line", { class: "grid", x1: 0, y1: y, x2: WIDTH, y2: y }, this.svg);
      if (y < 12) continue; // its label would be cut off
      const label = element("text", { x: 2, y: y - 3 }, this.svg);
      label.textContent = `${Math.abs(latitude).toFixed(digits)}°${latitude < 0 ? "S" : "N"}`;
    }
  }

  async #cover(url) {
    const asked = new URL(url, location); // which may carry a token
    asked.searchParams.set("f", "json");
    const answer = await fetch(asked);
    if (!answer.ok) return;
    const { area, sensorPoints } = await answer.json();
    const rings = area?.rings ?? [];
    const points = sensorPoints?.points ?? [];
    const all = [...rings.flat(), ...points];
    if (!all.length) return;
    const [xs, ys] = [all.map(([x]) => x), all.map(([, y]) => y)];
    const least = (values) => values.reduce((one, other) => Math.min(one, other));
    const most = (values) => values.reduce((one, other) => Math.max(one, other));
    this.#lay([least(xs), least(ys), most(xs), most(ys)]);
    this.area.setAttribute("d", rings.map((ring) => this.path(ring, true)).join(" "));
    this.track.setAttribute("d", this.path(points, false));
    this.figure.hidden = false;
    if (this.last) this.show(...this.last);
  }

  /** Where the camera is, [longitude, latitude], what it sees, and where the platform heads, in degrees. */
  show(sensor, outline, heading) {
    this.last = [sensor, outline, heading];
    const placed = sensor.every(Number.isFinite);
    if (!this.bounds) {
      if (!outline) return;
      this.#lay(boundsOf(placed ? [...outline, sensor] : outline));
    }
    this.figure.hidden = false;
    this.footprint.setAttribute("d", outline ? this.path(outline, true) : "");
    this.sensor.style.display = placed ? "" : "none";
    if (!placed) return;
    const [x, y] = this.point(sensor);
    this.sensor.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${heading || 0})`);
    const sides = outline ? outline.slice(0, 4).map((corner) => this.path([sensor, corner], false)) : [];
    this.sight.setAttribute("d", sides.join(" "));
  }
}

function boundsOf(points) {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
