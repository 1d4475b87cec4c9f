"use strict";

const SHOWN_TWEETS_MAX = 300;
const SHOWN_REQUESTS_MAX = 200;
const SILENT_MS_MAX = 25_000; // the server beats every 10 s; without a beat the page must not look live
const SURE_MS = 4_000;

const find = (id) => document.getElementById(id);
const tweets = new Map();
let requestCount = 0;
let lastRequest = 0;
let heardAt = 0;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function clock(utc) {
  const at = new Date(utc);
  const pad = (value, width) => String(value).padStart(width, "0");
  return `${pad(at.getHours(), 2)}:${pad(at.getMinutes(), 2)}:${pad(at.getSeconds(), 2)}.${pad(at.getMilliseconds(), 3)}`;
}

function hue(text) {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return sum;
}

function tweetElement(tweet) {
  const item = element("li", tweet.deleted_utc ? "tweet deleted" : "tweet");
  const face = element("span", "face", tweet.handle.slice(0, 1).toUpperCase());
  face.style.background = `hsl(${hue(tweet.handle)} 65% 68%)`;
  face.setAttribute("aria-hidden", "true");
  const who = element("div", "who");
  const time = element("time", "", clock(tweet.created_utc));
  time.dateTime = tweet.created_utc;
  who.append(element("b", "", `@${tweet.handle}`), time);
  const facts = element("p", "facts");
  facts.append(element("span", "ms", `published ${tweet.published_ms.toFixed(1)} ms after its first byte`));
  if (tweet.fields.paid_partnership) facts.append(element("span", "partner", "paid partnership"));
  if (tweet.deleted_utc) facts.append(element("span", "gone", `deleted ${clock(tweet.deleted_utc)}`));
  facts.append(element("span", "", tweet.id));
  item.append(face, who, element("p", "text", tweet.text), pictures(tweet), facts);
  return item;
}

function pictures(tweet) {
  const shown = element("div", "media");
  for (const media of tweet.media) {
    const figure = element("figure", media.media_type === "video/mp4" ? "video" : "");
    if (media.media_type === null) {
      figure.append(element("p", "lost", "media not kept"));
    } else {
      const image = element("img");
      image.alt = media.alt;
      image.src = `/sandbox/media/${media.id}`;
      image.addEventListener("error", () => image.replaceWith(element("p", "lost", "cannot be shown")));
      figure.append(image);
      if (media.media_type !== "video/mp4") figure.append(element("figcaption", media.alt ? "" : "lost", media.alt || "no alt text"));
    }
    shown.append(figure);
  }
  shown.hidden = tweet.media.length === 0;
  return shown;
}

function showTweet(tweet, fresh) {
  const known = tweets.get(tweet.id);
  const item = tweetElement(tweet);
  if (fresh && !known) item.classList.add("fresh");
  if (known?.item) known.item.replaceWith(item);
  else find("tweets").prepend(item);
  tweets.set(tweet.id, { item, deleted: Boolean(tweet.deleted_utc) });
  const list = find("tweets");
  while (list.children.length > SHOWN_TWEETS_MAX) list.lastElementChild.remove();
  countTweets();
}

function countTweets() {
  find("tweet-count").textContent = [...tweets.values()].filter((tweet) => !tweet.deleted).length;
  find("empty").hidden = tweets.size > 0;
}

function showRequest(record) {
  if (record.number <= lastRequest) return; // pushed while the log was being fetched
  lastRequest = record.number;
  requestCount += 1;
  const row = element("tr");
  const request = element("td", "", `${record.method} ${record.path}`);
  request.title = `connection ${record.connection}${record.account_id ? `, account ${record.account_id}` : ""}`;
  if (record.fault) request.append(element("span", "fault", `fault: ${record.fault}`));
  const good = record.status >= 200 && record.status < 300;
  row.append(
    element("td", "", clock(record.arrived_utc).slice(0, 8)),
    request,
    element("td", good ? "ok" : "fail", record.status ?? "none"),
    element("td", "number", record.answered_ms === null ? "–" : record.answered_ms.toFixed(1)),
  );
  find("requests").prepend(row);
  while (find("requests").children.length > SHOWN_REQUESTS_MAX) find("requests").lastElementChild.remove();
  find("request-count").textContent = requestCount;
}

function showState(state, words) {
  find("live").dataset.state = state;
  find("live").querySelector("span").textContent = words;
}

function clear() {
  tweets.clear();
  requestCount = 0;
  lastRequest = 0;
  find("tweets").replaceChildren();
  find("requests").replaceChildren();
  find("request-count").textContent = "0";
  countTweets();
}

async function load() {
  const [known, log] = await Promise.all(
    ["/sandbox/tweets", "/sandbox/requests"].map(async (path) => (await fetch(path)).json()),
  );
  clear();
  for (const tweet of known.reverse()) showTweet(tweet, false);
  for (const record of log) showRequest(record);
}

function follow() {
  const events = new EventSource("/sandbox/events");
  let waiting = []; // what is pushed while the page still loads
  const on = (name, show) => events.addEventListener(name, (event) => {
    heardAt = Date.now();
    const data = JSON.parse(event.data);
    if (waiting) waiting.push(() => show(data));
    else show(data);
  });
  on("tweet", (tweet) => showTweet(tweet, true));
  on("request", showRequest);
  on("reset", clear);
  on("beat", () => showState("live", "Live"));
  events.onopen = async () => {
    heardAt = Date.now();
    waiting = [];
    try {
      await load();
      const missed = waiting;
      waiting = null;
      for (const show of missed) show();
      showState("live", "Live");
    } catch {
      showState("lost", "Not connected");
    }
  };
  events.onerror = () => showState("lost", "Not connected");
  setInterval(() => {
    if (Date.now() - heardAt > SILENT_MS_MAX) showState("lost", "Not connected");
  }, 1_000);
}

find("reset").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  if (!button.classList.contains("sure")) {
    button.classList.add("sure");
    button.textContent = "Really remove everything?";
    setTimeout(() => {
      button.classList.remove("sure");
      button.textContent = "Reset";
    }, SURE_MS);
    return;
  }
  button.classList.remove("sure");
  button.textContent = "Reset";
  await fetch("/sandbox/reset", { method: "POST" });
});

follow();
