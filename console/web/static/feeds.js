// Feeds: level meter, the last minute as a curve with its matches, age of the data, last match.

import { el, keyedList, setAttribute, setHidden, setText } from "./dom.js";
import { keyOf } from "./store.js";
import { duration, instant, number, text } from "./values.js";

const FLOOR_DB = -60;
const HOT_DB = -3;
const OLD_MS = 2000;
const HISTORY_MS = 60_000;
const PEAK_FALL_DB_PER_S = 12;
const TONES = { live: "good", connecting: "calm", silent: "warn", stalled: "bad", ended: "warn", failed: "bad" };

const share = (db) => Math.min(1, Math.max(0, (db - FLOOR_DB) / -FLOOR_DB));

/** A function that shows the feeds; `note(rows, now)` takes new levels into the curves. */
export function feedTiles(container, store) {
  const curves = new Map();
  const show = keyedList(container, {
    keyOf: keyOf("feeds"),
    create: () => feedTile(store, curves),
    empty: "The audio feeds that listeners report. None is listening.",
  });
  const note = (rows, now) => {
    for (const row of rows) {
      const level = number(row.level_db);
      const curve = curves.get(row.feed_id) ?? [];
      curve.push([now.monoMs, row.state === "live" || row.state === "silent" ? level : null]);
      while (curve.length && curve[0][0] < now.monoMs - HISTORY_MS) curve.shift();
      curves.set(row.feed_id, curve);
    }
  };
  return { show: (now) => show(store.rows("feeds"), now), note };
}

function feedTile(store, curves) {
  const name = el("span", "name clip");
  const pill = el("span", "pill");
  const fill = el("div", "meter-fill");
  const peak = el("div", "meter-peak");
  const track = el("div", "meter-track", fill, peak);
  const db = el("span", "meter-db");
  const history = el("canvas", "history");
  history.setAttribute("role", "img");
  history.setAttribute("aria-label", "Level of the last minute, with matches marked");
  const channel = el("span", "grow");
  const age = el("span", "end");
  const match = el("p", "small");
  const detail = el("p", "small");
  const node = el("article", "feed", el("div", "row", name, pill), el("div", "meter", track, db), history,
    el("div", "row small", channel, age), match, detail);
  let peakDb = FLOOR_DB;
  let shownAt = null;

  function update(feed, now) {
    const level = number(feed.level_db);
    const ageMs = store.age(feed.seen_mono_ns, now);
    const isOld = ageMs === null || ageMs > OLD_MS;
    const shownDb = isOld || level === null ? FLOOR_DB : level;
    peakDb = Math.max(shownDb, peakDb - (shownAt === null ? 0 : ((now.monoMs - shownAt) / 1000) * PEAK_FALL_DB_PER_S));
    shownAt = now.monoMs;
    setText(name, text(feed.feed_id));
    setText(pill, text(feed.state, "unknown"));
    setAttribute(pill, "data-tone", TONES[feed.state] ?? "warn");
    fill.style.transform = `scaleX(${share(shownDb).toFixed(3)})`;
    setAttribute(fill, "data-hot", shownDb > HOT_DB ? "yes" : "no");
    peak.style.left = `calc(${(share(peakDb) * 100).toFixed(1)}% - 2px)`;
    setHidden(peak, peakDb <= FLOOR_DB);
    setText(db, isOld || level === null ? "– dB" : `${level.toFixed(1)} dB`);
    setText(channel, text(feed.channel));
    setText(age, ageMs === null ? "no data yet" : `data ${duration(ageMs)} old${healthText(feed)}`);
    age.classList.toggle("old", isOld);
    const detections = store.rows("detections").filter((one) => one.feed_id === feed.feed_id);
    setText(match, matchText(feed, detections.at(-1), now));
    setText(detail, text(feed.detail, ""));
    setHidden(detail, text(feed.detail, "") === "");
    drawCurve(history, curves.get(feed.feed_id) ?? [], detections, now);
  }
  return { node, update };
}

/** What it took to decide about the newest sound, and what was lost, where there is something to tell. */
function healthText(feed) {
  const delay = number(feed.delay_ms);
  const parts = delay === null || delay === 0 ? [] : [`decided in ${delay.toFixed(1)} ms`];
  if (number(feed.gaps)) parts.push(`${feed.gaps} ${feed.gaps === 1 ? "gap" : "gaps"}`);
  if (number(feed.dropped_blocks)) parts.push(`${feed.dropped_blocks} blocks lost`);
  return parts.map((part) => `, ${part}`).join("");
}

function matchText(feed, detection, now) {
  const at = instant(detection?.decided_utc) ?? instant(feed.last_utc);
  if (at === null) return "No match yet.";
  const ago = `${duration(now.utcMs - at)} ago`;
  if (!detection) return `Last match ${text(feed.last_spot)}, ${ago}.`;
  const spots = Array.isArray(detection.spot_ids) && detection.spot_ids.length > 1 ? detection.spot_ids.join(" or ") : text(detection.spot_id);
  const took = number(detection.decided_s) === null || number(detection.onset_s) === null ? null : (detection.decided_s - detection.onset_s) * 1000;
  const score = number(detection.score)?.toFixed(1) ?? "–";
  const threshold = number(detection.threshold)?.toFixed(1) ?? "–";
  return `Last match ${spots}, ${ago}. Evidence ${score} of ${threshold}, from ${took === null ? "–" : Math.round(took)} ms of sound.`;
}

function drawCurve(canvas, curve, detections, now) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (width === 0 || now.monoMs === null) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const style = getComputedStyle(canvas);
  const pen = canvas.getContext("2d");
  const x = (ms) => width * (1 - (now.monoMs - ms) / HISTORY_MS);
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = style.outlineColor;
  pen.fillRect(0, height - ratio, width, ratio);
  pen.fillStyle = style.color;
  for (let i = 0; i < curve.length; i++) {
    const [at, level] = curve[i];
    if (level === null) continue;
    const left = x(at);
    const right = i + 1 < curve.length ? Math.min(x(curve[i + 1][0]), left + width / 100) : left + ratio;
    const tall = share(level) * (height - 2 * ratio);
    pen.fillRect(Math.floor(left), height - tall, Math.ceil(Math.max(ratio, right - left)), tall);
  }
  pen.fillStyle = style.borderTopColor;
  for (const detection of detections) {
    const at = number(detection.onset_mono_ns);
    if (at === null) continue;
    const left = Math.round(x(at / 1e6));
    if (left < 0) continue;
    pen.fillRect(left, 0, 2 * ratio, height);
    pen.fillRect(left, 0, 6 * ratio, 3 * ratio);
  }
}
