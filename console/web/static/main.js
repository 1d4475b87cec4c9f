// The live page, put together: one store, one stream, and a loop that shows what changed and how old it is.

import { controls } from "./controls.js";
import { byId, setAttribute, setHidden, setIcon, setText } from "./dom.js";
import { feedTiles } from "./feeds.js";
import { firingTiles, isQuiet } from "./firings.js";
import { Store } from "./store.js";
import { accountTiles, airingTiles, alarmTiles, cueTiles, deviceTiles, markerTiles, tallyTiles } from "./tiles.js";
import { duration, text } from "./values.js";

const SHOW_EVERY_MS = 100;
const AGES_EVERY_MS = 500;
const MODES = new Set(["OFF", "REHEARSAL", "LIVE"]);

const store = new Store();
const feeds = feedTiles(byId("feeds"), store);
const shownDeclined = byId("show-declined");
const tiles = [
  deviceTiles(byId("devices"), store),
  markerTiles(byId("marker_sources"), store),
  tallyTiles(byId("tallies"), store),
  cueTiles(byId("cues"), store),
  airingTiles(byId("airings"), store),
  accountTiles(byId("accounts"), store),
  alarmTiles(byId("alarms"), store),
  firingTiles(byId("firings"), store, () => shownDeclined.checked),
];
let agesShownAt = 0;

function show() {
  const now = store.now();
  showVitals(now);
  feeds.show(now);
  if (!store.changed && performance.now() - agesShownAt < AGES_EVERY_MS) return;
  store.changed = false;
  agesShownAt = performance.now();
  for (const tile of tiles) tile(now);
  showCounts();
}

function showVitals(now) {
  const body = document.body;
  const stale = store.staleness(now);
  const mode = MODES.has(store.engine.mode) ? store.engine.mode : "";
  const killed = store.engine.killed === true;
  const ageMs = store.age(store.engine.mono_ns, now);
  setAttribute(body, "data-fresh", stale ? "no" : "yes");
  setAttribute(body, "data-mode", mode);
  setAttribute(body, "data-killed", killed ? "yes" : "no");
  setText(byId("mode-word"), mode || "UNKNOWN");
  setText(byId("mode-note"), stale ? "last known" : killed ? "killed" : "");
  setIcon(byId("mode-icon"), mode || "question");
  setText(byId("engine-age"), ageMs === null ? "not heard yet" : `heard ${duration(ageMs)} ago`);
  setText(byId("clock"), store.tick ? new Date(now.utcMs).toISOString().slice(11, 19) : "--:--:--");
  setHidden(byId("stale"), stale === null);
  setText(byId("stale-word"), stale?.standsBy ? "STANDBY" : "STALE");
  setText(byId("stale-text"), stale?.sentence ?? "");
  setText(byId("stale-age"), stale === null || stale.ageMs === null ? "" : `Figures are ${duration(stale.ageMs)} old.`);
  setHidden(byId("killed"), !killed);
  setText(byId("killed-text"), killed ? `by ${text(store.engine.kill_actor, "somebody")}: ${text(store.engine.kill_reason, "no reason given")}. ${stale ? "Last known." : "No tweet leaves."}` : "");
  document.title = `${stale ? (stale.standsBy ? "STANDBY" : "STALE") : killed ? "KILLED" : mode || "?"} · Cuebird`;
}

function showCounts() {
  setHidden(byId("markers"), store.tables.marker_sources.size === 0);
  setHidden(byId("tally"), store.tables.tallies.size === 0);
  for (const table of ["feeds", "devices", "marker_sources", "tallies", "accounts", "alarms"]) {
    setText(byId(`${table}-count`), store.tables[table].size ? String(store.tables[table].size) : "");
  }
  const over = store.rows("cues").filter((cue) => cue.state === "over").length;
  const cues = store.tables.cues.size - over;
  setText(byId("cues-count"), [cues ? String(cues) : "", over ? `${over} over` : ""].filter(Boolean).join(", "));
  const firings = store.rows("firings");
  const declined = firings.filter(isQuiet).length;
  setText(byId("firings-count"), firings.length ? `${firings.length - declined} fired, ${declined} declined` : "");
  setText(byId("airings-count"), store.tables.airings.size ? `${store.rows("airings").filter((row) => row.state === "open").length} open now` : "");
}

store.onFeeds = (rows) => feeds.note(rows, store.now());
store.onHeartbeat = () => {
  const beat = byId("beat");
  beat.classList.remove("now");
  requestAnimationFrame(() => beat.classList.add("now"));
};
shownDeclined.addEventListener("change", () => { store.changed = true; });
controls(store);
store.follow();
setInterval(show, SHOW_EVERY_MS);
show();
