// A receipt drawn to scale: each step is as long as it took.

import { el, setText } from "./dom.js";
import { millis, number } from "./values.js";

const STEPS = ["heard", "decided", "claimed", "first_byte", "answered"];
const WORDS = { heard: "heard", decided: "decided", claimed: "claimed", first_byte: "first byte", answered: "answered" };
const SCALES_MS = [500, 1000, 2000, 5000, 10_000, 20_000, 60_000, 300_000];
const TICKS = 5;

/** The steps in order, each with its end and length in ms; missing ones are left out. */
export function segments(stepsMs) {
  const given = stepsMs !== null && typeof stepsMs === "object" ? stepsMs : {};
  const parts = [];
  let from = 0;
  for (const step of STEPS) {
    const at = number(given[step]);
    if (at === null) continue;
    parts.push({ step, at, from, tookMs: at - from });
    from = Math.max(from, at);
  }
  return { parts, endMs: from };
}

/** The whole length of a bar: the same for most receipts, so that they can be compared at a glance. */
export const scaleOf = (endMs) => SCALES_MS.find((scale) => endMs <= scale) ?? endMs;

/** What a receipt counts from: the spot's first sample on air, or the change of the scoreboard. */
export const beginningOf = (occurrenceId) => (String(occurrenceId).startsWith("goal:") ? "goal" : "on air");

export function receiptBar() {
  const bar = el("div", "scale");
  const axis = el("div", "axis");
  const total = el("b");
  const caption = el("span");
  const steps = el("div", "steps");
  const node = el("div", "receipt", bar, el("div", "headline", total, caption), axis, steps);
  axis.setAttribute("aria-hidden", "true");
  bar.setAttribute("aria-hidden", "true");
  let shown = "";

  function show(stepsMs, beginning = "on air") {
    const key = JSON.stringify([stepsMs ?? null, beginning]);
    if (key === shown) return;
    shown = key;
    const { parts, endMs } = segments(stepsMs);
    const scaleMs = scaleOf(endMs);
    node.hidden = parts.length === 0;
    bar.replaceChildren(...parts.map((part) => barPart(part, scaleMs)));
    axis.replaceChildren(...axisTicks(scaleMs));
    steps.replaceChildren(...parts.map(legend));
    const headline = parts.find((part) => part.step === "first_byte") ?? parts.at(-1);
    setText(total, headline ? `${millis(headline.at)} ms` : "");
    setText(caption, headline ? `${beginning} → ${WORDS[headline.step]}` : "");
  }
  return { node, show };
}

function barPart({ step, from, tookMs }, scaleMs) {
  const part = el("i");
  part.dataset.step = step;
  part.style.left = `${Math.min(99.5, (from / scaleMs) * 100)}%`;
  part.style.width = `${(Math.max(0, tookMs) / scaleMs) * 100}%`;
  return part;
}

function axisTicks(scaleMs) {
  const inSeconds = scaleMs > 1000;
  return Array.from({ length: TICKS + 1 }, (_, i) => {
    const at = (scaleMs / TICKS) * i;
    const tick = el("span", "", i === 0 ? "0" : inSeconds ? `${at / 1000} s` : `${at} ms`);
    tick.style.left = `${(i / TICKS) * 100}%`;
    return tick;
  });
}

function legend({ step, from, tookMs }) {
  const key = el("i", "key");
  key.dataset.step = step;
  return el("span", "", key, `${WORDS[step]} `, el("b", "", from === 0 ? millis(tookMs) : `${tookMs < 0 ? "−" : "+"}${millis(Math.abs(tookMs))}`));
}
