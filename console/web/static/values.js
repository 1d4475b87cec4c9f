// Values from the engine, made fit to show. Nothing here trusts that a record is whole.

/** The number, or null for anything that is not a finite one. */
export function number(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** A text for people: numbers and texts as they are, everything else as the given dash. */
export function text(value, missing = "–") {
  if (typeof value === "string") return value.trim() === "" ? missing : value;
  return number(value) === null ? missing : String(value);
}

/** Milliseconds since 1970 of an ISO 8601 instant, or null. */
export function instant(value) {
  const ms = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? null : ms;
}

/** A duration such as "3.2 s", "4 min 20 s", "2 h 5 min"; a dash for null. */
export function duration(ms) {
  if (ms === null) return "–";
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${(Math.floor(s * 10) / 10).toFixed(1)} s`;
  if (s < 100) return `${Math.floor(s)} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(s % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

/** A count-down such as "00:42" or "3:05:10". */
export function countdown(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const pad = (n) => String(n).padStart(2, "0");
  const rest = `${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${rest}` : rest;
}

/** The time of day in UTC, "20:15:30". */
export function timeOfDay(ms) {
  return ms === null ? "–" : new Date(ms).toISOString().slice(11, 19);
}

/** Milliseconds with one decimal below 1000. */
export function millis(ms) {
  return ms === null ? "–" : ms < 1000 ? ms.toFixed(1) : Math.round(ms).toLocaleString("en").replaceAll(",", "\u202f");
}
