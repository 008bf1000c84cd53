// What is said of the chosen point, and of the one that is pointed at.

const entry = (point, much = null) => html("li", {}, html("button", { type: "button", click: () => choose(point) },
  swatch(groupOf(point)), foreign(headline(point)), much && html("span", { class: "much" }, much)));

const memberOf = (point) => (groups.by && !isQuery(point) ? `${groups.by} ${groups.names[groupOf(point)]}` : null);

// Choose a point wherever it is, and say so to those who do not see it.
function choose(point) {
  change({ chosen: point });
  if (point === null) return;
  bringIn(point);
  redraw();
  announce(`${headline(point)}. Nearest: ${map.near[point].slice(0, 3).map(headline).join(", ")}`);
}

function renderDetail() {
  const point = state.chosen;
  byId("detail").hidden = point === null;
  if (point === null) return;
  const where = isQuery(point) ? ["query"]
    : [map.titles[point] ? map.names[point] : null, memberOf(point)].filter(Boolean);
  fill("detail",
    html("button", { type: "button", class: "let-go", "aria-label": "Let go", click: () => choose(null) }, "×"),
    html("h2", {}, foreign(headline(point))),
    where.length > 0 && html("p", { class: "where" }, where.map((part, place) => [place ? " · " : null, foreign(part)])),
    map.texts[point] && html("p", { class: "passage" }, marked(map.texts[point])),
    html("h3", {}, `Nearest in all dimensions, by cosine`),
    html("ul", { class: "entries" }, map.near[point].map((other, place) => entry(other, decimals(map.cosines[point][place])))));
}

// The text with the words that are searched for marked.
function marked(text) {
  const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
  const low = text.toLowerCase();
  if (!words.length || low.length !== text.length) return foreign(text);
  const parts = [];
  let at = 0;
  while (at < text.length) {
    const hits = words.map((word) => [low.indexOf(word, at), word.length]).filter(([place]) => place >= 0);
    if (!hits.length) break;
    const [start, length] = hits.reduce((one, other) => (other[0] < one[0] ? other : one));
    parts.push(text.slice(at, start), html("mark", {}, text.slice(start, start + length)));
    at = start + length;
  }
  return html("bdi", { dir: "auto" }, parts, text.slice(at));
}

function renderTip() {
  const point = state.over;
  if (point === null || point === state.chosen) return tip.hide();
  const frame = canvas.getBoundingClientRect();
  const [x, y] = onScreen(point);
  const text = map.texts[point];
  tip.show({ left: frame.left + x, top: frame.top + y - 6, bottom: frame.top + y + 6, width: 0 }, [
    html("b", {}, foreign(headline(point))),
    memberOf(point) && [html("br"), foreign(memberOf(point))],
    text ? html("div", {}, foreign(text.length > 160 ? `${text.slice(0, 160)}…` : text)) : null,
  ].flat().filter(Boolean));
  return null;
}
