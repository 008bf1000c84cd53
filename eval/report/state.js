// What is shown: kept in the address after #, so that a link opens the same view.

const state = { view: 0, measure: report.primary, a: null, b: null, query: null, theme: null };

const view = () => views[state.view];

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const named = (key, names) => names.indexOf(given.get(key));
  const names = systems.map((system) => system.name);
  state.view = Math.max(0, named("data", views.map((one) => one.label)));
  state.measure = report.measures.includes(given.get("measure")) ? given.get("measure") : report.primary;
  [state.a, state.b] = pairOr(named("a", names), named("b", names));
  state.query = given.has("query") && view().dataset !== null && complete() ? queryNumber(given.get("query")) : null;
  state.theme = ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : null;
}

// The asked pair if both have results in this view; otherwise the recommended (or best) system and the best other.
function pairOr(a, b) {
  const ranked = best(view(), state.measure).map((row) => row.system);
  const order = ranked.includes(advised) ? [advised, ...ranked.filter((one) => one !== advised)] : ranked;
  const first = order.includes(a) ? a : order.find((one) => one !== b);
  const second = order.includes(b) && b !== first ? b : order.find((one) => one !== first);
  return [first ?? null, second ?? null];
}

function queryNumber(id) {
  const place = details(view().dataset).queries.id.indexOf(id);
  return place < 0 ? null : place;
}

function hash() {
  const parts = new URLSearchParams({ data: view().label, measure: state.measure });
  if (state.a !== null) parts.set("a", systems[state.a].name);
  if (state.b !== null) parts.set("b", systems[state.b].name);
  if (state.query !== null) parts.set("query", details(view().dataset).queries.id[state.query]);
  if (state.theme) parts.set("theme", state.theme);
  return `#${parts}`;
}

// Change the state, write it into the address, and render what depends on it. Opening a query or another view can be
// taken back with the browser's button.
function change(changes) {
  const keys = Object.keys(changes).filter((key) => state[key] !== changes[key]);
  if (!keys.length) return;
  Object.assign(state, changes);
  if (keys.includes("view")) {
    state.query = null;
    [state.a, state.b] = pairOr(state.a, state.b);
    keys.push("query", "a", "b");
  }
  const step = keys.includes("view") || (keys.includes("query") && state.query !== null);
  history[step ? "pushState" : "replaceState"](null, "", hash());
  render(keys);
}
