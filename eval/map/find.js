// The search: what has the words is shown on the map and listed here, so that the list is the map for who cannot see it.

const PAGE = 40;

function renderFound(most = PAGE) {
  const found = state.words === "" ? [] : [...matches];
  fill("count", state.words === "" ? null : count(found.length, "point", "points"));
  const more = found.length > most
    && html("button", { type: "button", click: () => renderFound(most + 4 * PAGE) }, `Show more of ${whole(found.length)}`);
  fill("found", found.length > 0 && html("ul", { class: "entries" }, found.slice(0, most).map((point) => entry(point))), more);
}

byId("find").addEventListener("input", ({ target }) => {
  change({ words: target.value.trim() });
  if (state.words !== "") announce(count(matches.size, "point found", "points found"));
});
byId("find").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && matches.size) choose([...matches][0]);
});
