// Every system against every other. Filled cells are significant after Holm's correction; choosing one opens its
// queries.

function renderPairs() {
  const { measure } = state;
  const order = best(view(), measure).map((row) => row.system);
  const pairs = order.flatMap((a, place) => order.slice(place + 1).map((b) => comparison(view(), measure, a, b)))
    .filter(Boolean);
  const real = pairs.filter(significant).length;
  fill("pairs-say", pairs.length ? [
    `${real} of ${count(pairs.length, "pair")} differ significantly in ${measure}: `,
    `filled and marked *, p < ${tidy(alpha)} after Holm's correction. `,
    "Each number is the row's mean minus the column's.",
    view().dataset !== null && " Choose one to see its queries.",
  ] : `There are no comparisons for ${measure}.`);
  fill("pairs-matrix", pairs.length > 0 && matrix(order, measure));
  const table = () => pairTable(pairs, measure);
  fill("pairs-table", pairs.length > 0 && onDemand(`All ${pairs.length} pairs as a table`, table));
  markPair();
}

function matrix(order, measure) {
  const all = order.flatMap((a) => order.map((b) => comparison(view(), measure, a, b))).filter(Boolean);
  const largest = Math.max(...all.map((pair) => Math.abs(pair.difference))) || 1;
  const heads = order.map((system, place) =>
    html("th", { scope: "col", title: systems[system].name }, place + 1, unseen(` ${isolated(systems[system].name)}`)));
  const lines = order.map((a, place) => html("tr", {},
    html("th", { scope: "row", class: "system" }, named(a, html("span", { class: "place" }, place + 1))),
    order.map((b) => matrixCell(a, b, comparison(view(), measure, a, b), largest))));
  return framed(`Differences in ${measure}, row minus column`, "matrix",
    html("tr", {}, html("th", { scope: "col" }, "Row minus column"), heads), html("tbody", {}, lines));
}

function matrixCell(a, b, pair, largest) {
  if (a === b) return html("td", { class: "self" }, unseen("same system"));
  if (!pair) return html("td", {}, MISSING);
  const real = significant(pair);
  const label = `${isolated(systems[a].name)} minus ${isolated(systems[b].name)}: ${signed(pair.difference)}, `
    + (real ? "significant" : "not significant");
  const kind = real ? (pair.difference > 0 ? "up" : "down") : "open";
  const button = html("button", { type: "button", "data-a": a, "data-b": b, class: kind, "aria-label": label,
    click: () => choosePair(a, b), ...tipped(() => pairTip(pair)) }, signed(pair.difference), real ? "*" : "");
  button.style.setProperty("--strength", `${Math.round(14 + (34 * Math.abs(pair.difference)) / largest)}%`);
  return html("td", {}, button);
}

function pairTip({ a, b, difference, low, high, p_holm: p, effect, wins, ties, losses }) {
  const lines = [`${signed(difference)} (${isMissing(low) ? "no interval" : range([low, high])})`,
    `p ${probability(p)} after Holm, effect ${decimals(effect, 2)}`,
    `better on ${whole(wins)}, the same on ${whole(ties)}, worse on ${whole(losses)}`];
  return [html("b", {}, foreign(systems[a].name)), " − ", html("b", {}, foreign(systems[b].name)),
    ...lines.flatMap((text) => [html("br"), text])];
}

function choosePair(a, b) {
  change({ a, b });
  if (view().dataset !== null) goTo("queries");
}

// The chosen pair, without drawing the matrix again (the pressed button keeps the focus).
function markPair() {
  for (const button of byId("pairs-matrix").querySelectorAll("button")) {
    const chosen = Number(button.dataset.a) === state.a && Number(button.dataset.b) === state.b;
    button.setAttribute("aria-pressed", String(chosen));
  }
}

function pairTable(pairs, measure) {
  const ends = pairs.flatMap((pair) => [pair.difference, pair.low, pair.high, 0]).filter((end) => !isMissing(end));
  const domain = [Math.min(...ends), Math.max(...ends)];
  const column = (key, label, show, ascending = false) =>
    ({ key, label, ascending, value: (pair) => pair[key], cell: (pair) => show(pair[key]) });
  const both = { key: "pair", label: "First and second", ascending: true, kind: "system",
    value: (pair) => systems[pair.a].name,
    cell: (pair) => [named(pair.a), html("span", { class: "than" }, " and "), named(pair.b)] };
  const difference = { key: "difference", label: "Difference", kind: "measure", value: (pair) => pair.difference,
    cell: (pair) => {
      const bounds = isMissing(pair.low) ? null : [pair.low, pair.high];
      const lit = significant(pair);
      return [html("span", { class: "value" }, signed(pair.difference), lit ? "*" : ""),
        whisker(pair.difference, bounds, domain, { reference: 0, width: 120, lit }),
        html("span", { class: "interval" }, range(bounds))];
    } };
  return sortableTable({
    name: "pairs",
    caption: `All pairs in ${measure}: first minus second, with ${confident} interval`,
    rows: pairs,
    columns: [both, difference,
      column("p_holm", "p (Holm)", probability, true), column("p", "p alone", probability, true),
      column("effect", "Effect d", (value) => decimals(value, 2)), column("wins", "Better", whole),
      column("ties", "Same", whole), column("losses", "Worse", whole)],
    order: { key: "p_holm", descending: false },
  });
}
