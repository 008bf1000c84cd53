// The queries as a list, in the order of the plot above; typing narrows it down. It is the plot's table as well.

const PAGE = 50;

function renderSearch() {
  if (!comparable()) return;
  const { queries } = details(view().dataset);
  const list = html("div");
  const fold = onDemand(`All ${count(queries.id.length, "query", "queries")} as a list`, () => list);
  const typed = () => { fold.open = true; narrow(PAGE); };
  const field = html("input",
    { type: "search", id: "find", placeholder: "words or id", autocomplete: "off", input: typed });

  function narrow(most) {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [texts, ids] = [queries.text, queries.id];
    const has = (query, word) => texts[query].toLowerCase().includes(word) || ids[query].toLowerCase() === word;
    const found = differences().filter(({ query }) => words.every((word) => has(query, word)));
    const widen = () => narrow(most + 4 * PAGE);
    const more = html("button", { type: "button", click: widen }, `Show more of ${whole(found.length)}`);
    list.replaceChildren(found.length ? queryTable(found.slice(0, most), queries) : note("No query has these words."));
    if (found.length > most) list.append(more);
    if (words.length) announce(count(found.length, "query found", "queries found"));
  }

  narrow(PAGE);
  fill("search", html("label", { class: "field" }, "Find a query ", field), fold);
}

function queryTable(rows, { text: texts }) {
  const link = (query) =>
    html("button", { type: "button", class: "link", click: () => openQuery(query) }, foreign(texts[query]));
  return plainTable(`Queries, by difference in ${state.measure}`,
    ["Query", foreign(systems[state.a].name), foreign(systems[state.b].name), "Difference"],
    rows.map(({ query, a, b, difference }) => [link(query), decimals(a), decimals(b), signed(difference)]));
}
