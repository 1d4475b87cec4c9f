// The stream of firings: what was sent or not, why, and how long each step took.

import { fail, post } from "./controls.js";
import { el, icon, keyedList, setAttribute, setHidden, setIcon, setText } from "./dom.js";
import { beginningOf, receiptBar } from "./receipt.js";
import { keyOf } from "./store.js";
import { duration, instant, text } from "./values.js";

const SHOWN = 60;
const STATES = {
  POSTED: ["good", "check", "POSTED"],
  REFUSED: ["bad", "cross", "REFUSED"],
  NOT_SENT: ["warn", "cross", "NOT SENT"],
  UNKNOWN: ["odd", "question", "UNKNOWN"],
  NOT_SEEN: ["odd", "question", "NOT SEEN"],
  CLAIMED: ["warn", "send", "SENDING"],
  ARMED: ["calm", "send", "ARMED"],
  DECLINED: ["", "minus", "DECLINED"],
  EXPIRED: ["", "minus", "EXPIRED"],
  WITHDRAWN: ["", "minus", "WITHDRAWN"],
};
const QUIET = new Set(["DECLINED", "EXPIRED", "WITHDRAWN"]);

/** Tone, icon and word of a firing; an unknown state is shown as it came. */
export function outcomeOf(firing) {
  if (firing.state === "POSTED" && firing.mode === "REHEARSAL") return ["calm", "REHEARSAL", "REHEARSED"];
  if (firing.state === "POSTED" && firing.action === "delete") return ["calm", "cross", "DELETED"];
  return Object.hasOwn(STATES, firing.state) ? STATES[firing.state] : ["warn", "question", text(firing.state, "NO STATE")];
}

export const isQuiet = (firing) => QUIET.has(firing.state);

export function firingTiles(container, store, wantsDeclined) {
  const show = keyedList(container, {
    keyOf: (firing) => `${keyOf("firings")(firing)} ${isQuiet(firing) ? "quiet" : "card"}`,
    create: () => firingRow(store),
    empty: "Every spot that is heard and every goal that is scored appears here, with the tweet it fired and its receipt, or with the reason why nothing was sent.",
  });
  return (now) => {
    const newest = store.rows("firings").sort((a, b) => b.firing_id - a.firing_id);
    show(newest.filter((firing) => wantsDeclined() || !isQuiet(firing)).slice(0, SHOWN), now);
  };
}

function firingRow(store) {
  // The shape is chosen by the first record; a record that changes shape has another key.
  const row = { node: el("article", "firing arriving"), update: null };
  row.update = (firing, now) => {
    const build = isQuiet(firing) ? quietRow : card;
    row.update = build(row.node, store);
    row.update(firing, now);
  };
  return row;
}

function outcomeNode() {
  const symbol = icon("question");
  const word = el("span", "clip");
  return { node: el("span", "outcome", symbol, word), show: (name, label) => { setIcon(symbol, name); setText(word, label); } };
}

function card(node, store) {
  const outcome = outcomeNode();
  const cue = el("span", "grow name");
  const mode = el("span", "pill");
  const age = el("span", "small");
  const link = el("a");
  const handle = el("span", "handle");
  const tweet = el("p", "tweet");
  const reason = el("p", "reason");
  const receipt = receiptBar();
  const veto = el("button", "veto", "VETO");
  let id = "";
  veto.type = "button";
  veto.addEventListener("click", () => stop(veto, id));
  node.append(el("div", "row firing-head", outcome.node, cue, mode, age, veto, link), el("div", "", handle, tweet), reason, receipt.node);

  return (firing, now) => {
    const [tone, symbol, label] = outcomeOf(firing);
    id = text(firing.firing_id);
    setHidden(veto, firing.state !== "ARMED");
    const account = store.tables.accounts.get(String(firing.account_id));
    setAttribute(node, "data-tone", tone);
    const isDeletion = firing.action === "delete";
    const follows = isDeletion ? "deletion" : firing.action === "correct" ? "correction" : "";
    outcome.show(symbol, follows && label !== "DELETED" ? `${label} · ${follows}` : label);
    tweet.classList.toggle("gone", isDeletion && label === "DELETED");
    setText(cue, text(firing.cue_name, text(firing.cue_id, "No cue")));
    setText(mode, text(firing.mode));
    setAttribute(mode, "data-tone", firing.mode === "LIVE" ? "warn" : "calm");
    setText(age, ageText(firing, now));
    setText(link, `#${text(firing.firing_id)}`);
    setAttribute(link, "href", `/firings/${encodeURIComponent(text(firing.firing_id))}`);
    setAttribute(link, "aria-label", `Firing ${text(firing.firing_id)} in full`);
    setText(handle, `@${text(account?.handle, text(firing.account_id))}`);
    setText(tweet, text(firing.text, "(no text)"));
    setText(reason, text(firing.reason, ""));
    setHidden(reason, text(firing.reason, "") === "");
    receipt.show(firing.steps_ms, beginningOf(firing.occurrence_id));
  };
}

/** One press: the delay may be over in a moment. The engine's answer changes the row. */
async function stop(button, id) {
  button.disabled = true;
  try {
    await post(`/api/v1/firings/${encodeURIComponent(id)}/veto`, {});
  } catch (error) {
    fail(`Firing ${id} WAS NOT STOPPED: ${error.message}.`);
  }
  button.disabled = false;
}

function quietRow(node, store) {
  const outcome = outcomeNode();
  const why = el("span", "grow clip");
  const age = el("span", "end");
  const what = el("p", "small");
  const link = el("a");
  const details = el("details", "", el("summary", "", outcome.node, why, age), what, el("p", "small", link));
  node.classList.add("declined");
  node.append(details);

  return (firing, now) => {
    const [, symbol, label] = outcomeOf(firing);
    outcome.show(symbol, label);
    setText(why, `${text(firing.reason, "no reason given")} · ${text(firing.cue_name, text(firing.cue_id, "no cue"))}`);
    setText(age, ageText(firing, now));
    setText(what, `${text(firing.reason, "no reason given")}. Occurrence ${text(firing.occurrence_id)}, mode ${text(firing.mode)}.`);
    setText(link, `Firing ${text(firing.firing_id)} in full`);
    setAttribute(link, "href", `/firings/${encodeURIComponent(text(firing.firing_id))}`);
  };
}

function ageText(firing, now) {
  const at = instant(firing.updated_utc);
  return at === null ? "" : `${duration(now.utcMs - at)} ago`;
}
