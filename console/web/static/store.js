// What the page knows, and the one stream it comes from.

import { number } from "./values.js";

const KEYS = {
  feeds: ["feed_id"], devices: ["venue", "device"], cues: ["cue_id"], airings: ["airing_id"], firings: ["firing_id"],
  tallies: ["tally_id"], marker_sources: ["source_id"], markers: ["source_id", "event"], accounts: ["account_id"], alarms: ["alarm_id"], detections: ["feed_id", "onset_mono_ns", "spot_id"],
};
const SINGLE = {
  cue: "cues", airing: "airings", firing: "firings", account: "accounts", alarm: "alarms", detection: "detections",
  marker_source: "marker_sources", marker: "markers", tally: "tallies",
};
const KEPT = 500;
const STREAM_SILENT_MS = 1500; // ticks come every 500 ms
const RETRY_MS = 1000;

export const keyOf = (table) => (record) => KEYS[table].map((field) => String(record[field])).join("\u0000");

const sentence = (words) => (/[.!?]$/.test(words) ? words : `${words}.`);

export class Store {
  constructor() {
    this.engine = {};
    this.tables = Object.fromEntries(Object.keys(KEYS).map((table) => [table, new Map()]));
    this.tick = null;
    this.heardAt = null; // performance.now() of the last message
    this.tickAt = null;
    this.changed = true;
    this.loggedOut = false;
    this.onFeeds = () => {};
    this.onHeartbeat = () => {};
  }

  rows(table) {
    return [...this.tables[table].values()];
  }

  /** The engine machine's clocks now, in milliseconds; null before the first tick. */
  now() {
    if (!this.tick) return { monoMs: null, utcMs: Date.now() };
    const since = performance.now() - this.tickAt;
    return { monoMs: this.tick.mono_ns / 1e6 + since, utcMs: Date.parse(this.tick.utc) + since };
  }

  /** Age of an instant of CLOCK_MONOTONIC in ms; null when there is none. */
  age(monoNs, now) {
    const at = number(monoNs);
    return at === null || at <= 0 || now.monoMs === null ? null : now.monoMs - at / 1e6;
  }

  /** Why the figures are not to be believed: `{sentence, ageMs}`, or null while they are fresh. */
  staleness(now) {
    const ageMs = this.age(this.engine.mono_ns, now);
    const because = (sentence) => ({ sentence, ageMs });
    if (this.loggedOut) return because("You are logged out. Reload the page to log in.");
    if (this.heardAt === null) return because("Connecting to the console.");
    if (performance.now() - this.heardAt > STREAM_SILENT_MS) return because("The console does not answer.");
    if (this.tick.stands_by) return { ...because(sentence(this.tick.detail)), standsBy: true };
    if (!this.tick.connected) return because(sentence(`No connection to the engine: ${this.tick.detail}`));
    if (ageMs === null) return because("The engine sends no heartbeat that can be read.");
    if (ageMs > this.tick.stale_after_ms) return because("The engine is silent.");
    return null;
  }

  follow() {
    const source = new EventSource("/events");
    source.addEventListener("snapshot", (event) => this.#take(event, (data) => this.#replace(data)));
    source.addEventListener("tick", (event) => this.#take(event, (data) => this.#setTick(data)));
    source.addEventListener("engine", (event) => this.#take(event, (data) => {
      this.engine = data;
      this.onHeartbeat();
    }));
    for (const table of ["feeds", "devices"]) {
      source.addEventListener(table, (event) => this.#take(event, (data) => {
        for (const row of data.rows) this.#put(table, row);
        if (table === "feeds") this.onFeeds(data.rows);
      }));
    }
    for (const [name, table] of Object.entries(SINGLE)) {
      source.addEventListener(name, (event) => this.#take(event, (data) => this.#put(table, data)));
    }
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) this.#again();
    });
  }

  async #again() {
    // A closed source does not try again by itself; it is closed when the answer was not a stream.
    try {
      this.loggedOut = (await fetch("/api/v1/firings?limit=1")).status === 401;
    } catch {
      this.loggedOut = false;
    }
    setTimeout(() => this.follow(), RETRY_MS);
  }

  #take(event, apply) {
    try {
      apply(JSON.parse(event.data));
      this.heardAt = performance.now();
      this.changed = true;
    } catch (error) {
      console.error(`event ${event.type} cannot be read`, error);
    }
  }

  #replace(data) {
    this.loggedOut = false;
    this.engine = data.engine;
    for (const table of Object.keys(KEYS)) {
      this.tables[table].clear();
      for (const row of data[table]) this.#put(table, row);
    }
    this.#setTick(data.tick);
  }

  #setTick(tick) {
    this.tick = tick;
    this.tickAt = performance.now();
  }

  #put(table, row) {
    const rows = this.tables[table];
    rows.set(keyOf(table)(row), row);
    while (rows.size > KEPT) rows.delete(rows.keys().next().value);
  }
}
