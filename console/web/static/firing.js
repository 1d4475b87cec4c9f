// One firing: the outcome in its tone, and its receipt to scale.

import { byId, icon, setAttribute } from "./dom.js";
import { outcomeOf } from "./firings.js";
import { beginningOf, receiptBar } from "./receipt.js";

const { dataset } = byId("firing");
const [tone, symbol, word] = outcomeOf({ state: dataset.state, mode: dataset.mode, action: dataset.action });
setAttribute(byId("firing"), "data-tone", tone);
byId("outcome").replaceChildren(icon(symbol), word);
const receipt = receiptBar();
receipt.show(JSON.parse(dataset.steps), beginningOf(dataset.occurrence));
byId("receipt").replaceWith(receipt.node);
