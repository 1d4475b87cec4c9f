// One firing: the outcome in its tone, its receipt to scale, and what a person may still order.

import { post } from "./controls.js";
import { byId, icon, setAttribute, setHidden, setText } from "./dom.js";
import { outcomeOf } from "./firings.js";
import { beginningOf, receiptBar } from "./receipt.js";

const { dataset } = byId("firing");
const [tone, symbol, word] = outcomeOf({ state: dataset.state, mode: dataset.mode, action: dataset.action });
setAttribute(byId("firing"), "data-tone", tone);
byId("outcome").replaceChildren(icon(symbol), word);
const receipt = receiptBar();
receipt.show(JSON.parse(dataset.steps), beginningOf(dataset.occurrence));
byId("receipt").replaceWith(receipt.node);

const order = byId("order");
order?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = Object.fromEntries([...new FormData(order)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value !== ""));
  const button = order.querySelector("button");
  button.disabled = true;
  try {
    await post(order.dataset.path, given);
    location.reload();
  } catch (error) {
    setText(byId("order-failed"), `Not done: ${error.message}.`);
    setHidden(byId("order-failed"), false);
    button.disabled = false;
  }
});
