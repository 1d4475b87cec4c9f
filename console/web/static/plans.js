// Plans: a file is sent, shown beside what stands, and imported as it was shown; versions are compared and rolled back to.

import { byId, el, setHidden, setText } from "./dom.js";

const ROWS_MAX = 500;
const CLASSES = { new: "new", moved: "moved", dropped: "dropped", "left alone": "alone" };
const may = document.body.dataset.may === "yes";
let chosen = null;
let asked = 0;

class Refused extends Error {}

async function ask(path, { method = "GET", body, type = "application/octet-stream", as = "json" } = {}) {
  const headers = { "x-csrf-token": document.body.dataset.csrf };
  if (body !== undefined) headers["content-type"] = type;
  let response;
  try {
    response = await fetch(path, { method, headers, body });
  } catch {
    throw new Refused("The console does not answer.");
  }
  if (response.ok) return response[as]();
  const answer = await response.json().catch(() => ({}));
  throw new Refused(answer?.error?.message ?? `The console answered ${response.status}.`);
}

function fail(error) {
  setText(byId("failed"), error ? String(error.message ?? error) : "");
  setHidden(byId("failed"), !error);
}

function query(extra = {}) {
  const words = new URLSearchParams({ file: chosen.name, plan: byId("plan").value.trim(), ...extra });
  for (const field of byId("upload").querySelectorAll("[name]")) {
    const values = field.tagName === "TEXTAREA" ? field.value.split("\n") : [field.value];
    for (const value of values) if (value.trim()) words.append(field.name, value.trim());
  }
  return words;
}

function table(headings, rows) {
  const head = el("tr", "", ...headings.map((heading) => el("th", "", heading)));
  const body = rows.map((cells) => el("tr", "", ...cells));
  return el("div", "scroll", el("table", "", el("thead", "", head), el("tbody", "", ...body)));
}

const cell = (value, kind = "") => el("td", kind, String(value ?? ""));
const instant = (value) => (value ? `${value.slice(0, 10)} ${value.slice(11, 19)}` : "");

function changesOf(facts) {
  const rows = facts.rows.map((row) => [
    cell(row.change, CLASSES[row.change]), cell(row.airing_id), cell(instant(row.before_utc)), cell(instant(row.after_utc)), cell(row.remark),
  ]);
  const parts = [el("p", "", `${facts.told_changes}.`)];
  if (rows.length) parts.push(table(["", "Airing", "Was, UTC", "Is, UTC", ""], rows));
  if (facts.row_count > ROWS_MAX) parts.push(el("p", "small", `The first ${ROWS_MAX} of ${facts.row_count}; cuebird schedule diff shows all.`));
  return parts;
}

function problemsOf(facts) {
  const rows = facts.problems.map((one) => [
    cell(one.severity, one.severity), cell(one.row, "number"), cell(one.column), cell(one.value), cell(one.reason), cell(one.fix),
  ]);
  const parts = [el("p", "", `${facts.read_as} ${facts.airings} airings, ${facts.told}.`)];
  if (rows.length) parts.push(table(["", "Row", "Column", "Value", "What is wrong", "What to do"], rows));
  return parts;
}

function button(label, press, kind = "") {
  const node = el("button", kind, label);
  node.type = "button";
  node.addEventListener("click", async () => {
    node.disabled = true;
    try {
      await press();
      fail(null);
    } catch (error) {
      fail(error);
    }
    node.disabled = false;
  });
  return node;
}

/** A button that first wants a tick when airings are dropped. */
function confirmed(label, facts, press) {
  const node = button(label, press, "primary");
  if (!facts.changes.dropped) return [node];
  const tick = el("input");
  tick.type = "checkbox";
  node.disabled = true;
  tick.addEventListener("change", () => { node.disabled = !tick.checked; });
  return [el("label", "dropped", tick, ` Drop ${facts.changes.dropped} ${facts.changes.dropped === 1 ? "airing" : "airings"}`), node];
}

function sentence(done) {
  const version = done.version;
  if (!done.is_new) return `Nothing changes: version ${version.number} of the plan ${version.plan_id} says this already.`;
  const engine = done.engine_reloaded ? "The running engine has taken it up." : "No engine is running; it will find it when it starts.";
  const withdrawn = done.withdrawn.length ? ` Withdrawn with their airing: firing ${done.withdrawn.join(", ")}.` : "";
  return `${done.told_changes}. This is version ${version.number} of the plan ${version.plan_id}. ${engine}${withdrawn}`;
}

async function preview() {
  if (!chosen) return;
  const number = ++asked;
  fail(null);
  byId("preview").replaceChildren(el("p", "", `Reading ${chosen.name} …`));
  try {
    const facts = await ask(`/api/v1/plans/preview?${query()}`, { method: "POST", body: chosen });
    if (number === asked) showPreview(facts);
  } catch (error) {
    if (number !== asked) return;
    byId("preview").replaceChildren();
    fail(error);
  }
}

function showPreview(facts) {
  const buttons = el("div", "buttons");
  if (facts.importable) {
    buttons.append(...confirmed(`Import as ${facts.plan}`, facts, () => commit(facts)));
  }
  if (facts.problem_count) buttons.append(button("Rows with their problems, XLSX", () => download(".xlsx")), button("CSV", () => download(".csv")));
  const changes = facts.importable ? changesOf(facts) : [el("p", "error", "It cannot be imported before the errors are mended.")];
  byId("preview").replaceChildren(...problemsOf(facts), ...changes, buttons);
}

async function commit(facts) {
  const extra = { base: facts.base, drops_max: facts.changes.dropped };
  const done = await ask(`/api/v1/plans/import?${query(extra)}`, { method: "POST", body: chosen });
  byId("preview").replaceChildren(el("p", "new", sentence(done)));
  await showPlans();
  await showVersions(done.version.plan_id);
}

async function download(suffix) {
  const blob = await ask(`/api/v1/plans/problems?${query({ suffix })}`, { method: "POST", body: chosen, as: "blob" });
  const link = el("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${chosen.name}.problems${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function showPlans() {
  const { plans } = await ask("/api/v1/plans");
  byId("plan-names")?.replaceChildren(...plans.map((one) => Object.assign(el("option"), { value: one.plan_id })));
  if (!plans.length) {
    byId("plans").replaceChildren(el("p", "empty", "No plan has been imported yet."));
    return;
  }
  const rows = plans.map((one) => [el("td", "", button(one.plan_id, () => showVersions(one.plan_id))), ...versionCells(one)]);
  byId("plans").replaceChildren(table(["Plan", ...VERSION_HEADINGS], rows));
}

const VERSION_HEADINGS = ["Version", "Imported, UTC", "By", "File", "SHA-256", "Airings", "New", "Moved", "Dropped"];

function versionCells(one) {
  const file = one.rolled_back_to ? `back to version ${one.rolled_back_to}` : one.file_name;
  return [
    cell(one.number, "number"), cell(instant(one.imported_utc)), cell(one.actor), cell(file), cell(one.sha256.slice(0, 8)), cell(one.airing_count, "number"),
    cell(one.new_count, "number"), cell(one.moved_count, "number"), cell(one.dropped_count, "number"),
  ];
}

async function showVersions(plan) {
  const { versions } = await ask(`/api/v1/plans/${encodeURIComponent(plan)}/versions`);
  const rows = versions.map((one, index) => {
    const buttons = el("div", "buttons");
    if (index + 1 < versions.length) buttons.append(button("What it changed", () => compare(plan, versions[index + 1].number, one.number)));
    if (may && index > 0) buttons.append(button("Go back to it…", () => offerRollback(plan, one.number)));
    return [...versionCells(one), el("td", "", buttons)];
  });
  byId("versions").replaceChildren(el("h3", "", `Versions of ${plan}`), table([...VERSION_HEADINGS, ""], rows));
  byId("compared").replaceChildren();
}

async function compare(plan, older, newer) {
  const facts = await ask(`/api/v1/plans/${encodeURIComponent(plan)}/changes?older=${older}&newer=${newer}`);
  byId("compared").replaceChildren(el("h3", "", `From version ${older} to ${newer}`), ...changesOf(facts));
}

async function offerRollback(plan, number) {
  const path = `/api/v1/plans/${encodeURIComponent(plan)}/rollback`;
  const facts = await ask(`${path}?number=${number}`);
  const back = async () => {
    const body = JSON.stringify({ number, base: facts.base, drops_max: facts.changes.dropped });
    const done = await ask(path, { method: "POST", body, type: "application/json" });
    await showPlans();
    await showVersions(plan);
    byId("compared").replaceChildren(el("p", "new", sentence(done)));
  };
  const buttons = el("div", "buttons", ...confirmed(`Go back to version ${number}`, facts, back));
  byId("compared").replaceChildren(el("h3", "", `Going back to version ${number} of ${plan}`), ...changesOf(facts), buttons);
}

function choose(file) {
  if (!file) return;
  chosen = file;
  preview();
}

if (may) {
  const drop = byId("drop");
  byId("upload").addEventListener("submit", (event) => event.preventDefault());
  byId("upload").addEventListener("change", (event) => (event.target.id === "file" ? choose(event.target.files[0]) : preview()));
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); choose(event.dataTransfer.files[0]); });
}
showPlans().catch(fail);
