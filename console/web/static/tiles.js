// Scoreboards, sources of markers, cues, airings, accounts and alarms.

import { el, icon, keyedList, setAttribute, setHidden, setIcon, setText } from "./dom.js";
import { keyOf } from "./store.js";
import { countdown, duration, instant, number, text, timeOfDay } from "./values.js";

const DEVICE_TONES = { online: "good", stale: "warn", offline: "bad" };
const SOURCE_TONES = { live: "good", ended: "calm", failed: "bad" };
const TALLY_TONES = { "on air": "good", "off air": "", failed: "bad" };
const CUE_TONES = { armed: "good", idle: "", unapproved: "warn", spent: "warn", held: "calm" };
const AIRING_TONES = { open: "good", heard: "calm", fired: "calm", missed: "bad", planned: "", closed: "" };
const ALARM_TONES = { info: "calm", warning: "warn" };
const AIRINGS_AHEAD = 10;
const AIRINGS_PAST = 3;
const ALARMS_SHOWN = 8;
const OLD_MS = 3000;
const CLOCK_OFF_MS = 500; // a second ahead, and its events are refused
const ERRORS_OVER_MS = 60_000;

function pillFor(pill, state, tones) {
  setText(pill, text(state, "unknown"));
  setAttribute(pill, "data-tone", Object.hasOwn(tones, state) ? tones[state] : "warn");
}

export function deviceTiles(container, store) {
  const show = keyedList(container, {
    keyOf: keyOf("devices"),
    create: () => deviceTile(store),
    empty: "Scoreboard consoles, read through their gateways. None has reported.",
  });
  return (now) => show(store.rows("devices"), now);
}

function deviceTile(store) {
  const name = el("span", "name clip");
  const pill = el("span", "pill");
  const clock = el("b");
  const score = el("span", "score");
  const period = el("b");
  const board = el("div", "board", el("span", "board-side", clock, "clock"), score, el("span", "board-side", period, "period"));
  const counts = el("span", "grow");
  const frameAge = el("span", "end");
  const way = el("span", "grow");
  const age = el("span", "end");
  const clocks = el("p", "small");
  const refused = el("p", "small warn");
  const last = el("p", "small");
  const detail = el("p", "small");
  const node = el("article", "device", el("div", "row", name, pill), board, el("div", "row small", counts, frameAge),
    el("div", "row small", way, age), clocks, last, refused, detail);
  const points = (value) => text(number(value));
  const errors = errorRate();

  function update(device, now) {
    const ageMs = store.age(device.seen_mono_ns, now);
    const frameMs = store.age(device.frame_mono_ns, now);
    const isKept = [device.home, device.away].some((value) => number(value) !== null) || text(device.clock, "") !== "";
    setText(name, `${text(device.fixture)} · ${text(device.device)}`);
    pillFor(pill, device.state, DEVICE_TONES);
    setHidden(board, device.state === "online" && !isKept); // a button keeps no score
    setText(clock, text(device.clock, "--:--"));
    setText(score, `${points(device.home)} : ${points(device.away)}`);
    setText(period, text(device.period));
    setText(counts, `${text(number(device.good_frames))} frames, ${number(device.bad_frames) ?? 0} bad${errors(device, now)}`);
    setText(frameAge, frameMs === null ? "no frame yet" : `frame ${duration(frameMs)} ago`);
    frameAge.classList.toggle("old", isKept && (frameMs === null || frameMs > OLD_MS));
    setText(way, wayText(device));
    setText(age, ageMs === null ? "not heard yet" : `heard ${duration(ageMs)} ago`);
    age.classList.toggle("old", ageMs === null || ageMs > OLD_MS);
    setText(clocks, clockText(device));
    setHidden(clocks, clockText(device) === "");
    clocks.classList.toggle("warn", device.clock_source === "unsynchronised" || Math.abs(number(device.clock_behind_ms) ?? 0) > CLOCK_OFF_MS);
    setText(last, lastText(device));
    setText(refused, refusedText(device));
    setHidden(refused, refusedText(device) === "");
    setText(detail, text(device.detail, ""));
    setHidden(detail, text(device.detail, "") === "");
  }
  return { node, update };
}

// How many frames in a hundred were bad in the last minute; nothing is said while none was.
function errorRate() {
  let seen = [];
  return (device, now) => {
    const good = number(device.good_frames) ?? 0;
    const bad = number(device.bad_frames) ?? 0;
    const newest = seen.at(-1);
    if (newest && (good < newest.good || bad < newest.bad)) seen = []; // its gateway has started again
    if (!newest || good !== newest.good || bad !== newest.bad) seen.push({ at: now.monoMs, good, bad });
    while (seen.length > 1 && seen[0].at < now.monoMs - ERRORS_OVER_MS) seen.shift();
    const first = seen[0] ?? { good, bad };
    const damaged = bad - first.bad;
    return damaged > 0 ? `, ${((100 * damaged) / (damaged + good - first.good)).toPrecision(2)} % of the last minute's` : "";
  };
}

function wayText(device) {
  const connections = number(device.connections) ?? 0;
  const dropped = number(device.dropped_events) ?? 0;
  const opened = `${connections} ${connections === 1 ? "connection" : "connections"}`;
  return dropped > 0 ? `${opened}, ${dropped} events dropped` : opened;
}

// How its clock stands to ours, and who keeps it right.
function clockText(device) {
  const behind = number(device.clock_behind_ms);
  const kept = [text(device.clock_source, ""), text(device.clock_by, "")].filter((part) => part !== "").join(", ");
  if (behind === null) return kept === "" ? "" : `Clock ${kept}.`;
  const off = Math.abs(behind) < 1 ? "in step" : `${Math.round(Math.abs(behind))} ms ${behind > 0 ? "behind" : "ahead"}`;
  return `Clock ${off}${kept === "" ? "" : `, ${kept}`}.`;
}

function lastText(device) {
  const told = text(device.last_event, "");
  return told === "" ? "No event yet." : `${timeOfDay(instant(device.last_event_utc))} ${told}`;
}

function refusedText(device) {
  const all = number(device.refused) ?? 0;
  const kinds = Object.entries(device.refusals ?? {}).sort((one, other) => other[1] - one[1]);
  const why = kinds.map(([kind, count]) => `${kind.replaceAll("_", " ")} ${count}`).join(", ");
  return all === 0 ? "" : `${all} refused${why === "" ? "" : `: ${why}`}`;
}

export function markerTiles(container, store) {
  const show = keyedList(container, { keyOf: keyOf("marker_sources"), create: () => markerTile(store), empty: "None is configured." });
  return (now) => show(store.rows("marker_sources"), now);
}

function markerTile(store) {
  const name = el("span", "name clip");
  const pill = el("span", "pill");
  const counts = el("span", "grow");
  const age = el("span", "end");
  const detail = el("p", "small");
  const last = el("p", "small");
  const node = el("article", "", el("div", "row", name, pill), el("div", "row small", counts, age), detail, last);

  function update(source, now) {
    const ageMs = store.age(source.seen_mono_ns, now);
    setText(name, `${text(source.source_id)} · ${text(source.channel)}`);
    // What its process last said of itself holds only while data comes.
    pillFor(pill, source.state === "live" && (ageMs === null || ageMs > OLD_MS) ? "silent" : source.state, SOURCE_TONES);
    const trouble = ["damaged", "ignored"].filter((kind) => number(source[kind]) > 0).map((kind) => `${source[kind]} ${kind}`);
    setText(counts, [`${number(source.messages) ?? 0} messages`, ...trouble].join(", "));
    setText(age, ageMs === null ? "not heard yet" : `heard ${duration(ageMs)} ago`);
    age.classList.toggle("old", ageMs === null || ageMs > OLD_MS);
    setText(detail, text(source.detail, ""));
    setHidden(detail, text(source.detail, "") === "");
    const newest = newestMarker(store, source.source_id);
    setText(last, newest === null ? "No marker yet." : markerText(newest));
  }
  return { node, update };
}

function newestMarker(store, sourceId) {
  const mine = store.rows("markers").filter((marker) => marker.source_id === sourceId);
  return mine.reduce((a, b) => (a === null || (number(b.at_mono_ns) ?? 0) > (number(a.at_mono_ns) ?? 0) ? b : a), null);
}

function markerText(marker) {
  const later = number(marker.sound_later_ms);
  const sound = later === null ? "" : `, sound ${later < 0 ? "" : "+"}${Math.round(later)} ms`;
  const canceled = marker.state === "canceled" ? ", canceled" : "";
  return `${timeOfDay(instant(marker.at_utc))} ${text(marker.spot_id, text(marker.what))}${canceled}${sound}`;
}

export function tallyTiles(container, store) {
  const show = keyedList(container, { keyOf: keyOf("tallies"), create: () => tallyTile(store), empty: "None is configured." });
  return (now) => show(store.rows("tallies"), now);
}

function tallyTile(store) {
  const name = el("span", "name clip");
  const pill = el("span", "pill");
  const counts = el("span", "grow");
  const age = el("span", "end");
  const detail = el("p", "small");
  const node = el("article", "", el("div", "row", name, pill), el("div", "row small", counts, age), detail);

  function update(tally, now) {
    const ageMs = store.age(tally.seen_mono_ns, now);
    const sentAt = instant(tally.sent_utc);
    const isOld = ageMs === null || ageMs > (number(tally.silence_s) ?? 0) * 1000;
    // What was last told holds only while its listener lives and the mixer goes on telling.
    const isSilent = isOld || sentAt === null || now.utcMs === null || now.utcMs - sentAt > OLD_MS;
    const state = tally.state === "live" ? (isSilent ? "silent" : tally.on_air === true ? "on air" : "off air") : tally.state;
    setText(name, [text(tally.tally_id), text(tally.label, "")].filter((part) => part !== "").join(" · "));
    pillFor(pill, state, TALLY_TONES);
    const trouble = ["damaged", "refused"].filter((kind) => number(tally[kind]) > 0).map((kind) => `${tally[kind]} ${kind}`);
    setText(counts, [`${number(tally.frames) ?? 0} messages`, ...trouble].join(", "));
    setText(age, ageMs === null ? "not heard yet" : `heard ${duration(ageMs)} ago`);
    age.classList.toggle("old", isOld);
    setText(detail, text(tally.detail, ""));
    setHidden(detail, text(tally.detail, "") === "");
  }
  return { node, update };
}

export function cueTiles(container, store) {
  const show = keyedList(container, {
    keyOf: keyOf("cues"),
    create: cueTile,
    empty: "Rules that tie an airing or a goal to approved tweets. Import some with cuebird cues import.",
  });
  // What is over needs nobody; `cuebird cues list` still has it.
  const isShown = (cue) => cue.state !== "over";
  const rank = (cue) => ["armed", "held", "unapproved", "spent", "idle"].indexOf(cue.state);
  return (now) => show(store.rows("cues").filter(isShown).sort((a, b) => rank(a) - rank(b)), now);
}

function cueTile() {
  const name = el("span", "name clip");
  const pill = el("span", "pill");
  const account = el("span", "grow");
  const left = el("span", "end");
  const detail = el("p", "small");
  const warning = el("p", "small warn");
  const node = el("article", "", el("div", "row", name, pill), el("div", "row small", account, left), detail, warning);

  function update(cue) {
    setText(name, text(cue.name, text(cue.cue_id)));
    setAttribute(name, "title", `${text(cue.cue_id)} (${text(cue.kind)})`);
    pillFor(pill, cue.state, CUE_TONES);
    setText(account, `@${text(cue.account_id)} · ${text(cue.kind)}`);
    const variants = number(cue.variants_left);
    setText(left, variants === null ? "" : `${variants} ${variants === 1 ? "variant" : "variants"} left`);
    left.classList.toggle("old", variants === 0);
    setText(detail, text(cue.detail, ""));
    setHidden(detail, text(cue.detail, "") === "");
    setText(warning, text(cue.warning, ""));
    setHidden(warning, text(cue.warning, "") === "");
  }
  return { node, update };
}

export function airingTiles(container, store) {
  container.classList.add("tight");
  const show = keyedList(container, {
    keyOf: keyOf("airings"),
    create: airingTile,
    empty: "Planned broadcasts of spots, with the windows in which cues may fire. Import a plan with cuebird schedule import.",
  });
  return (now) => {
    const isAhead = (row) => row.state === "open" || (row.state !== "missed" && row.state !== "closed" && (instant(row.closes_utc) ?? 0) > now.utcMs);
    const byStart = store.rows("airings").sort((a, b) => (instant(a.opens_utc) ?? 0) - (instant(b.opens_utc) ?? 0));
    const past = byStart.filter((row) => !isAhead(row)).slice(-AIRINGS_PAST);
    show([...past, ...byStart.filter(isAhead).slice(0, AIRINGS_AHEAD)], now);
  };
}

function airingTile() {
  const time = el("time", "mono");
  const spot = el("span", "name clip");
  const pill = el("span", "pill");
  const channel = el("span", "grow");
  const left = el("span", "end");
  const node = el("article", "", el("div", "row", time, spot, pill), el("div", "row small", channel, left));

  function update(airing, now) {
    setText(time, timeOfDay(instant(airing.planned_utc)));
    setText(spot, text(airing.spot_id));
    pillFor(pill, airing.state, AIRING_TONES);
    setText(channel, `${text(airing.channel)} · airing ${text(airing.number)}`);
    setText(left, windowText(instant(airing.opens_utc), instant(airing.closes_utc), now.utcMs));
  }
  return { node, update };
}

function windowText(opens, closes, now) {
  if (opens === null || closes === null) return "no window";
  if (now < opens) return `opens in ${countdown(opens - now)}`;
  return now < closes ? `closes in ${countdown(closes - now)}` : `closed ${duration(now - closes)} ago`;
}

export function accountTiles(container, store) {
  const show = keyedList(container, {
    keyOf: keyOf("accounts"),
    create: accountTile,
    empty: "Accounts on X that cues post from. None is configured.",
  });
  return (now) => show(store.rows("accounts"), now);
}

function accountTile() {
  const name = el("span", "name clip");
  const pill = el("span", "pill");
  const left = el("span", "grow");
  const answer = el("span", "end");
  const detail = el("p", "small");
  const node = el("article", "", el("div", "row", name, pill), el("div", "row small", left, answer), detail);

  function update(account, now) {
    const connections = number(account.connections) ?? 0;
    setText(name, `@${text(account.handle, text(account.account_id))}`);
    setText(pill, account.warm === true ? `warm, ${connections} open` : "cold");
    setAttribute(pill, "data-tone", account.warm === true ? "good" : "");
    setText(left, [limitText(account, now), tokenText(account, now)].filter((part) => part !== "").join(" · "));
    left.classList.toggle("old", number(account.remaining) === 0);
    const answered = instant(account.last_answer_utc);
    setText(answer, answered === null ? "no answer yet" : `answered ${duration(now.utcMs - answered)} ago`);
    setText(detail, text(account.detail, ""));
    setHidden(detail, text(account.detail, "") === "");
  }
  return { node, update };
}

function tokenText(account, now) {
  const ends = instant(account.token_expires_utc);
  if (ends === null) return "";
  return ends > now.utcMs ? `token ${countdown(ends - now.utcMs)}` : "token ended";
}

function limitText(account, now) {
  const remaining = number(account.remaining);
  const reset = instant(account.reset_utc);
  if (remaining === null) return "limit not known yet";
  return reset !== null && reset > now.utcMs ? `${remaining} left for ${countdown(reset - now.utcMs)}` : `${remaining} posts left`;
}

export function alarmTiles(container, store) {
  const show = keyedList(container, {
    keyOf: keyOf("alarms"),
    create: alarmTile,
    empty: "No alarm.",
  });
  return (now) => show(store.rows("alarms").sort((a, b) => b.alarm_id - a.alarm_id).slice(0, ALARMS_SHOWN), now);
}

function alarmTile() {
  const sentence = el("p");
  const when = el("span", "small");
  when.setAttribute("aria-hidden", "true");
  const symbol = icon("warn");
  const node = el("article", "alarm", symbol, sentence, when);

  function update(alarm, now) {
    const at = instant(alarm.utc);
    setText(sentence, text(alarm.text));
    setText(when, `${text(alarm.level)}, ${at === null ? "at an unknown time" : `${duration(now.utcMs - at)} ago, ${timeOfDay(at)}`}`);
    // A level nobody knows is taken for the worst.
    setAttribute(node, "data-tone", Object.hasOwn(ALARM_TONES, alarm.level) ? ALARM_TONES[alarm.level] : "bad");
    setIcon(symbol, alarm.level === "info" ? "info" : "warn");
  }
  return { node, update };
}
