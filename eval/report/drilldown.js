// One query: what both systems put first, side by side, and what neither found.

function renderDrilldown() {
  const place = comparable() ? openPlace() : -1;
  byId("drilldown").hidden = place < 0;
  if (place < 0) return fill("drilldown");
  const source = details(view().dataset);
  const row = differences()[place];
  const text = source.queries.text[row.query];
  const known = { source, text, gains: new Map(source.queries.relevant[row.query]), roots: rootsOf(text) };
  const side = (letter, system) =>
    ({ letter, system, name: systems[system].name, value: row[letter], hits: source.hits(system, row.query) });
  const [a, b] = [side("a", state.a), side("b", state.b)];
  const [left, right] = [hitList(a, b, known), hitList(b, a, known)];
  const bridge = html("div", { class: "bridge", "aria-hidden": "true" });
  responsive(bridge, () => drawBridge(bridge, left, right, known.gains));
  fill("drilldown", drilldownHead(place, row, known),
    html("div", { class: "sides" }, sideColumn(a, left), bridge, sideColumn(b, right)), missed([a, b], known));
  moveCursor(place);
  return null;
}

function drilldownHead(place, { query, difference }, { source, text, gains }) {
  const rows = differences();
  const relevant = [...gains.values()].filter((gain) => gain > 0).length;
  const turn = (to, label) =>
    html("button", { type: "button", disabled: !rows[to], click: () => openQuery(rows[to].query) }, label);
  return html("header", {},
    html("p", { class: "kicker" }, `Query ${place + 1} of ${rows.length} in this order · `,
      foreign(source.queries.id[query])),
    html("h3", { id: "drilldown-title", tabindex: "-1" }, foreign(text)),
    html("p", { class: "say" }, `${count(relevant, "relevant document")}. `,
      `Difference in ${state.measure}: ${signed(difference)}.`),
    html("div", { class: "controls" }, turn(place - 1, "← Previous"), turn(place + 1, "Next →")));
}

const sideColumn = ({ letter, name, value, hits }, list) => html("section", { class: `side side-${letter}` },
  html("h4", { class: `in-${letter}` }, foreign(name)),
  html("p", { class: "say" }, `${state.measure} ${decimals(value)}`),
  hits.length ? list : note("It found nothing."));

function gainSign(gain) {
  if (gain > 0) return html("span", { class: "sign yes" }, `✓ relevant, gain ${gain}`);
  return html("span", { class: "sign" }, gain === undefined ? "not judged relevant" : "✗ judged not relevant");
}

function hitList({ hits }, other, { source, gains, roots }) {
  const there = (number) => {
    const place = other.hits.findIndex((hit) => hit[0] === number);
    const found = place < 0 ? `not in the first ${Math.max(other.hits.length, 10)} of ` : `rank ${place + 1} in `;
    return html("p", { class: "there" }, found, html("span", { class: `in-${other.letter}` }, foreign(other.name)));
  };
  const item = ([number, score, start, end, passage], place) => {
    const [id, beginning] = source.document(number);
    const gain = gains.get(number);
    return html("li", { class: gain > 0 ? "hit relevant" : "hit", "data-document": number },
      html("p", { class: "hit-head" },
        html("span", { class: "rank" }, unseen("Rank "), place + 1), gainSign(gain), foreign(id, { class: "id" }),
        html("span", { class: "score", title: `Score; characters ${start} to ${end}` },
          unseen("score "), brief(score))),
      shown(passage < 0 ? beginning : source.passage(passage), roots),
      there(number));
  };
  return html("ol", { class: "hits" }, hits.map(item));
}

const shown = (text, roots) => {
  const lacking = text === "" ? "A document without text." : "The collection lacks this document.";
  return html("p", { class: "passage" }, text ? marked(text, roots) : html("i", {}, lacking));
};

// Lines from each hit to the same document on the other side.
function drawBridge(bridge, left, right, gains) {
  const { width, height, top } = bridge.getBoundingClientRect();
  const middle = (item) => item.getBoundingClientRect().top + Math.min(item.offsetHeight / 2, 40) - top;
  const lines = [...left.children].map((from) => {
    const to = [...right.children].find((item) => item.dataset.document === from.dataset.document);
    if (!to) return null;
    const [y1, y2, half] = [middle(from), middle(to), width / 2];
    const kind = gains.get(Number(from.dataset.document)) > 0 ? "tie relevant" : "tie";
    return svg("path", { class: kind, d: `M0 ${y1}C${half} ${y1} ${half} ${y2} ${width} ${y2}` });
  });
  bridge.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height }, lines));
}

function missed(sides, { source, gains, roots }) {
  const seen = new Set(sides.flatMap((side) => side.hits.map((hit) => hit[0])));
  const lost = [...gains].filter(([number, gain]) => gain > 0 && !seen.has(number)).sort((x, y) => y[1] - x[1]);
  if (!lost.length) return note("Between them the two found every relevant document.");
  const item = ([number, gain]) => {
    const [id, beginning] = source.document(number);
    return html("li", { class: "hit relevant" },
      html("p", { class: "hit-head" }, gainSign(gain), foreign(id, { class: "id" })),
      shown(beginning, roots));
  };
  const list = (some) => html("ul", { class: "hits" }, some.map(item));
  return html("section", { class: "missed" }, html("h4", {}, `Relevant, and in neither list (${lost.length})`),
    list(lost.slice(0, 3)), lost.length > 3 && onDemand(`${lost.length - 3} more`, () => list(lost.slice(3))));
}
