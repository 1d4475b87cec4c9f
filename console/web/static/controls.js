// Kill, release, mode, help and theme: everything a hand can do on this page.

import { byId, setAttribute, setHidden, setText } from "./dom.js";
import { text } from "./values.js";

const ANSWER_MOST_MS = 4000;
const THEMES = ["dark", "light", "system"];
const WARNINGS = {
  OFF: "Cues stop firing. Detections and goals are still shown.",
  REHEARSAL: "Cues run to the end with another publisher that holds no credentials.",
  LIVE: "From now on every cue that fires publishes a real tweet in the sponsor's name.",
};

export async function post(path, body) {
  const headers = { "content-type": "application/json", "x-csrf-token": document.body.dataset.csrf };
  let response;
  try {
    response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(ANSWER_MOST_MS) });
  } catch {
    throw new Error("the console does not answer");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(text(answer?.error?.message, `the console answered ${response.status}`));
  return answer;
}

export function fail(sentence) {
  setText(byId("failed-text"), sentence);
  setHidden(byId("failed"), false);
}

export function controls(store) {
  killing(store);
  releasing(store);
  changingMode(store);
  helping();
  theming();
  byId("failed-close").addEventListener("click", () => setHidden(byId("failed"), true));
}

function killing(store) {
  byId("kill-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const pressedAt = performance.now();
    setText(byId("kill"), "KILLING…");
    try {
      await post("/api/v1/kill", {});
      store.engine = { ...store.engine, killed: true, kill_reason: `confirmed in ${Math.round(performance.now() - pressedAt)} ms`, kill_actor: "you" };
      setHidden(byId("failed"), true);
    } catch (error) {
      fail(`KILL IS NOT CONFIRMED: ${error.message}. Press again, or stop the engine's process.`);
    }
    setText(byId("kill"), "KILL");
    store.changed = true;
  });
}

function releasing(store) {
  const dialog = byId("release-dialog");
  const reason = byId("release-reason");
  const typed = byId("release-typed");
  const check = () => { byId("release-confirm").disabled = typed.value.trim() !== "RELEASE" || reason.value.trim().length < 3; };
  byId("release-open").addEventListener("click", () => {
    reason.value = typed.value = "";
    check();
    dialog.showModal();
  });
  dialog.addEventListener("input", check);
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "confirm") return;
    try {
      await post("/api/v1/release", { reason: reason.value.trim(), confirm: "RELEASE" });
      store.engine = { ...store.engine, killed: false };
    } catch (error) {
      fail(`Not released: ${error.message}.`);
    }
    store.changed = true;
  });
  submitOnlyWhenReady(dialog, "release-confirm");
}

function changingMode(store) {
  const dialog = byId("mode-dialog");
  const typed = byId("mode-typed");
  const confirm = byId("mode-confirm");
  const chosen = () => dialog.querySelector("input[name=mode]:checked")?.value;
  const check = () => {
    const mode = chosen();
    setAttribute(dialog, "data-mode", mode ?? "");
    const isNow = mode === store.engine.mode;
    setHidden(byId("mode-typed-label"), mode !== "LIVE" || isNow);
    setText(byId("mode-warning"), isNow ? "This is the mode now." : WARNINGS[mode] ?? "");
    setText(confirm, mode === "LIVE" ? "Go LIVE" : mode === "OFF" ? "Switch OFF" : "Go to REHEARSAL");
    confirm.disabled = !mode || isNow || (mode === "LIVE" && typed.value.trim() !== "LIVE");
  };
  byId("mode").addEventListener("click", () => {
    typed.value = "";
    for (const radio of dialog.querySelectorAll("input[name=mode]")) radio.checked = radio.value === store.engine.mode;
    check();
    dialog.showModal();
  });
  dialog.addEventListener("input", check);
  dialog.addEventListener("close", async () => {
    const mode = chosen();
    if (dialog.returnValue !== "confirm") return;
    try {
      await post("/api/v1/mode", { mode, confirm: mode === "LIVE" ? typed.value.trim() : "" });
      store.engine = { ...store.engine, mode };
    } catch (error) {
      fail(`The mode was not changed: ${error.message}.`);
    }
    store.changed = true;
  });
  submitOnlyWhenReady(dialog, "mode-confirm");
}

/** Enter in a field must not choose "Cancel", which stands first, nor confirm too early. */
function submitOnlyWhenReady(dialog, confirmId) {
  dialog.addEventListener("close", () => { queueMicrotask(() => { dialog.returnValue = ""; }); });
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
    event.preventDefault();
    if (!byId(confirmId).disabled) dialog.close("confirm");
  });
}

function helping() {
  const dialog = byId("help-dialog");
  byId("help-open").addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
    if (event.key !== "?" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (dialog.open) dialog.close();
    else if (!document.querySelector("dialog[open]")) dialog.showModal();
  });
}

function theming() {
  const root = document.documentElement;
  const button = byId("theme");
  const label = () => setAttribute(button, "title", `Theme: ${root.dataset.theme}`);
  button.addEventListener("click", () => {
    root.dataset.theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch { /* storage is off: the choice lasts as long as the page */ }
    label();
  });
  label();
}
