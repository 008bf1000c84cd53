"use strict";
// Elements. Text from documents, queries and names becomes a text node or an attribute, never markup.

// Attributes that are functions listen to the event of that name; what is null or false is left out.
function furnish(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(key, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const html = (tag, attributes = {}, ...children) => furnish(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

const byId = (id) => document.getElementById(id);
const fill = (id, ...children) => byId(id).replaceChildren(...children.flat().filter(Boolean));

// Text from outside, isolated: a right-to-left override in it ends with it.
const foreign = (text, attributes = {}) => html("bdi", { dir: "auto", ...attributes }, text);
// The same where there can be no element: in an attribute.
const isolated = (text) => `\u2068${text}\u2069`;

const unseen = (text) => html("span", { class: "unseen" }, text);
const note = (...content) => html("p", { class: "note" }, content);
const announce = (text) => fill("announce", text);

// One tooltip for the page, placed beside a rectangle of the window; it scrolls with the page. Escape closes it.
const tip = {
  show(rectangle, content) {
    const box = byId("tip");
    box.replaceChildren(...content);
    box.hidden = false;
    const { width, height } = box.getBoundingClientRect();
    const room = document.documentElement.clientWidth - 8;
    const middle = rectangle.left + rectangle.width / 2;
    const above = rectangle.top - height - 8;
    box.style.left = `${scrollX + Math.max(8, Math.min(middle - width / 2, room - width))}px`;
    box.style.top = `${scrollY + (above > 4 ? above : rectangle.bottom + 8)}px`;
  },
  hide() {
    byId("tip").hidden = true;
  },
};
document.addEventListener("keydown", (event) => event.key === "Escape" && tip.hide());

// For the attributes of an element that shows `content()` when pointed at, focused or touched.
function tipped(content) {
  const show = (event) => tip.show(event.currentTarget.getBoundingClientRect(), content());
  return { pointerenter: show, focus: show, pointerdown: show, pointerleave: tip.hide, blur: tip.hide };
}
