// Two systems, query by query: which pair, in what order, and which query is open.

let ordered = { key: "", rows: [] };

// [{query, a, b, difference}] from the first system's greatest win to its greatest loss: the order of everything here.
function differences() {
  const key = JSON.stringify([state.view, state.measure, state.a, state.b]);
  if (ordered.key !== key) {
    const { queries, values } = details(view().dataset);
    const [first, second] = [state.a, state.b].map((system) => values(state.measure, system) || []);
    const rows = queries.id.map((_, query) => ({ query, a: first[query] ?? 0, b: second[query] ?? 0 }));
    for (const row of rows) row.difference = Number((row.a - row.b).toFixed(5));
    ordered = { key, rows: rows.sort((one, other) => other.difference - one.difference || one.query - other.query) };
  }
  return ordered.rows;
}

// Where in that order the open query is: the chosen one, or at first the one on which the two systems differ most.
function openPlace() {
  const rows = differences();
  if (state.query !== null) return rows.findIndex((row) => row.query === state.query);
  return rows.length && Math.abs(rows.at(-1).difference) > Math.abs(rows[0].difference) ? rows.length - 1 : 0;
}

const comparable = () => view().dataset !== null && state.a !== null && state.b !== null;

function renderQueries() {
  const missing = view().dataset === null ? elsewhere("Single queries")
    : [note("Two systems with results are needed to compare their queries.")];
  byId("queries-body").hidden = !comparable();
  fill("queries-elsewhere", comparable() ? [] : missing);
  if (!comparable()) return;
  for (const [id, chosen] of [["system-a", state.a], ["system-b", state.b]])
    fill(id, worked(view()).map(({ system }) =>
      html("option", { value: system, selected: system === chosen }, systems[system].name)));
  fill("pair-say", sayPair());
  fill("difference", differencePlot(differences()));
}

function sayPair() {
  const pair = comparison(view(), state.measure, state.a, state.b);
  if (!pair) return [];
  const interval = isMissing(pair.low) ? "" : ` (${confident} interval ${range([pair.low, pair.high])})`;
  const real = significant(pair);
  return [
    html("b", { class: "in-a" }, foreign(systems[pair.a].name)), " minus ",
    html("b", { class: "in-b" }, foreign(systems[pair.b].name)),
    ` is ${signed(pair.difference)} in ${state.measure}${interval}.`,
    ` The difference is ${real ? "" : "not "}significant: p ${probability(pair.p_holm)} after Holm's`,
    ` correction, effect size ${decimals(pair.effect, 2)}.`,
    !real && pair.needed
      && ` To tell a difference of this size from chance takes about ${whole(pair.needed)} queries.`,
  ];
}

// Open a query and bring it into view, with the focus on its heading.
function openQuery(query) {
  change({ query });
  goTo("drilldown-title");
}
