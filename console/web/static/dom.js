// The few ways this page touches the document. Data only ever becomes text, never markup.

export const byId = (id) => document.getElementById(id);

/** A new element with a class and children; texts become text nodes. */
export function el(tag, className = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** An icon of the sprite in base.html. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Show another icon of the sprite. */
export function setIcon(svg, name) {
  setAttribute(svg.firstElementChild ?? svg, "href", `#i-${name}`);
}

/** Set a text only when it differs, so that selections and screen readers are left in peace. */
export function setText(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

/**
 * A list that follows records by key.
 *
 * @param container where the rows live
 * @param create makes a row `{node, update(record, now)}` from nothing
 * @param keyOf names a record
 * @param empty the sentence shown when there is none
 */
export function keyedList(container, { create, keyOf, empty }) {
  const rows = new Map();
  const nothing = el("p", "empty", empty);
  return (records, now) => {
    const wanted = records.map((record) => [keyOf(record), record]);
    const keys = new Set(wanted.map(([key]) => key));
    for (const [key, row] of rows) {
      if (!keys.has(key)) {
        row.node.remove();
        rows.delete(key);
      }
    }
    let previous = null;
    for (const [key, record] of wanted) {
      if (!rows.has(key)) rows.set(key, create());
      const row = rows.get(key);
      const after = previous ? previous.nextSibling : container.firstChild;
      if (row.node !== after) container.insertBefore(row.node, after);
      previous = row.node;
      update(row, record, now);
    }
    if (rows.size === 0) container.append(nothing);
    else nothing.remove();
  };
}

function update(row, record, now) {
  try {
    row.update(record, now);
  } catch (error) {
    console.error("a record cannot be shown", error);
    row.node.replaceChildren(el("p", "small", "This record cannot be shown."));
    row.update = () => {};
  }
}
