// Groups with their marks; choosing one singles it out.

const sizes = groups.names.map(() => 0);
for (const group of groups.of) sizes[group] += 1;

function renderLegend() {
  byId("legend").hidden = groups.by === null;
  if (groups.by === null) return;
  fill("legend-title", foreign(groups.by));
  fill("groups", groups.names.map((name, group) => html("li", {}, html("button",
    { type: "button", "aria-pressed": String(state.group === group), click: () => change({ group: state.group === group ? null : group }) },
    swatch(group), foreign(name), html("span", { class: "much" }, whole(sizes[group]))))));
}

function renderQueries() {
  byId("queries").hidden = map.queries === 0;
  fill("query-list", queriesFirst.map((point) => entry(point)));
}
