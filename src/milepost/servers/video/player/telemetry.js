// What the camera says of itself: the cues of the subtitles, decoded into words and onto a map.

import { Chart } from "./chart.js";

const SETS = 10000; // the entry that holds a set of MISB ST 0601; its tags follow as 10000 + tag
const OUTLINE = 90060;

const degrees = (value) => `${Number(value).toFixed(2)}°`;
const metres = (value) => `${Number(value).toFixed(0)} m`;
const angle = (value, [plus, minus]) => `${Math.abs(value).toFixed(5)}° ${value < 0 ? minus : plus}`;
const place = (latitude, longitude) => `${angle(latitude, "NS")}, ${angle(longitude, "EW")}`;
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** The values of a cue by their tag; null when it is not one of telemetry. */
export function decode(text) {
  let cue;
  try {
    cue = JSON.parse(text);
  } catch {
    return null;
  }
  const found = cue.data?.find((each) => each.tagId === SETS);
  if (!found) return null;
  const values = new Map();
  const add = (entries) => {
    for (const entry of entries) {
      if (Array.isArray(entry.value) && entry.value[0]?.tagId) add(entry.value);
      else values.set(entry.tagId, entry);
    }
  };
  add(found.value);
  return values;
}

/** The corners of what the camera sees, as [longitude, latitude]; null when it does not say. */
export function outline(of) {
  const ring = of(OUTLINE)?.geometry?.rings?.[0];
  if (ring) return ring.map(([x, y]) => [x, y]);
  const corners = (first) => [0, 2, 4, 6].map((each) => [of(first + each + 1), of(first + each)]);
  for (const first of [90052, 10082]) {
    const found = corners(first);
    if (found.flat().every(isNumber)) return found;
  }
  const [latitude, longitude] = [of(10023), of(10024)];
  const offsets = corners(10026).map(([x, y]) => [longitude + x, latitude + y]);
  return offsets.flat().every(isNumber) ? offsets : null;
}

/** What is worth knowing at a glance: names and words. */
function summary(of, clock) {
  const lines = [];
  const say = (name, value) => value && lines.push([name, value]);
  const time = of(10002);
  const micros = isNumber(time) ? time / 1000 : Date.parse(time);
  // Without leap seconds tag 2 counts on its own time scale, some seconds from UTC.
  say(clock, Number.isFinite(micros) && new Date(micros).toISOString().replace("T", " ").slice(0, 21));
  say("Mission", of(10003));
  say("Platform", of(10010));
  const [latitude, longitude] = [of(10013), of(10014)];
  const height = isNumber(of(10015)) ? of(10015) : of(10075);
  if (isNumber(latitude) && isNumber(longitude)) say("Camera", place(latitude, longitude));
  say("Height", isNumber(height) && metres(height));
  say("Heading", isNumber(of(10005)) && degrees(of(10005)));
  if (isNumber(of(10016)) && isNumber(of(10017))) say("Field of view", `${degrees(of(10016))} by ${degrees(of(10017))}`);
  say("Distance", isNumber(of(10021)) && metres(of(10021)));
  const centre = [90050, 10023].find((tag) => isNumber(of(tag)) && isNumber(of(tag + 1)));
  if (centre) say("Looks at", place(of(centre), of(centre + 1)));
  return lines;
}

export class Telemetry {
  constructor(section, video) {
    this.clock = section.dataset.clock;
    this.values = section.querySelector(".values");
    this.everything = section.querySelector(".everything");
    this.rows = this.everything.querySelector("tbody");
    this.waiting = section.querySelector(".waiting");
    this.chart = new Chart(section.querySelector(".map"), section.dataset.extent, section.dataset.coverage);
    this.everything.addEventListener("toggle", () => this.last && this.show(this.last));
    this.seen = 0;
    const follow = (track) => {
      if (track.kind !== "subtitles" && track.kind !== "metadata") return;
      if (track.mode === "disabled") track.mode = "hidden";
      track.addEventListener("cuechange", () => {
        const cue = track.activeCues?.[track.activeCues.length - 1];
        const values = cue && decode(cue.text);
        if (values) this.show(values);
      });
    };
    video.textTracks.addEventListener("addtrack", ({ track }) => follow(track));
    for (const track of video.textTracks) follow(track);
  }

  show(values) {
    this.last = values;
    this.seen += 1;
    const of = (tag) => values.get(tag)?.value;
    this.values.replaceChildren(
      ...summary(of, this.clock).map(([name, value]) => {
        const line = document.createElement("div");
        const term = document.createElement("dt");
        const words = document.createElement("dd");
        term.textContent = name;
        words.textContent = value;
        line.append(term, words);
        return line;
      }),
    );
    this.values.hidden = this.everything.hidden = false;
    this.waiting.hidden = true;
    if (this.everything.open) this.#table(values);
    this.chart.show([of(10014), of(10013)], outline(of), of(10005));
  }

  #table(values) {
    this.rows.replaceChildren(
      ...[...values.values()].map((entry) => {
        const row = document.createElement("tr");
        const value = typeof entry.value === "object" ? JSON.stringify(entry.value) : String(entry.value);
        for (const text of [entry.tagId, entry.name ?? "", value]) {
          const cell = document.createElement("td");
          cell.textContent = text;
          row.append(cell);
        }
        return row;
      }),
    );
  }
}
