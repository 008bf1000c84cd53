// Who leads: every measure with its interval, the groups that cannot be told apart, and what each system costs.

const nameColumn = {
  key: "system",
  label: "System",
  ascending: true,
  kind: "system",
  value: (row) => systems[row.system].name,
  cell: (row) => named(row.system),
};

function renderLeaderboard() {
  const shown = view();
  const others = report.measures.filter((measure) => measure !== state.measure);
  const costs = ["index_seconds", "p50", "p95", "vector_bytes", "peak_memory_bytes", "truncated_chunks"];
  fill("leaderboard-say", sayLeaderboard(shown));
  fill("leaderboard-table", sortableTable({
    name: "leaderboard",
    caption: `${shown.label}: measures with ${confident} intervals, and costs`,
    columns: [nameColumn, measureColumn(shown, state.measure, true), groupColumn(shown, state.measure),
      ...others.map((measure) => measureColumn(shown, measure, false)), ...costs.map(costColumn)].filter(Boolean),
    rows: shown.rows.map((row) => ({ ...row, marked: row.system === advised })),
    order: { key: `measure ${state.measure}`, descending: true },
    error: (row) => row.error,
  }));
  fill("by-dataset", shown.dataset === null ? byDataset(shown, state.measure) : []);
}

function sayLeaderboard({ dataset, documents, queries, judgements, detectable, detectable_adjusted: adjusted }) {
  const seen = (detectable || {})[state.measure];
  const strict = (adjusted || {})[state.measure];
  const asked = count(queries, "query", "queries");
  return [
    `${count(documents, "document")}, ${asked}, ${count(judgements, "judgement")}. `,
    dataset === null && `Means over ${views.length - 1} data sets, each counting the same; seconds and bytes are sums,
      latencies means, the peak of memory the largest. `,
    html("b", {}, "Systems that share a letter do not differ significantly"), ` in ${state.measure}. `,
    !isMissing(seen) && `This test set can see differences of at least ${decimals(seen)}${strict > seen
      ? ` (${decimals(strict)} after correction for all pairs)` : ""}; smaller ones drown in the noise of ${asked}.`,
  ];
}

function measureColumn(shown, measure, lit) {
  const ends = worked(shown).flatMap((row) => [row.means[measure], ...(row.intervals[measure] || [])]);
  const known = ends.filter((end) => !isMissing(end));
  const domain = [Math.min(...known), Math.max(...known)];
  const drawn = (value, bounds) => (isMissing(value) ? null : whisker(value, bounds, domain, { lit, width: lit ? 84 : 60 }));
  return {
    key: `measure ${measure}`,
    label: measure,
    kind: lit ? "measure lit" : "measure",
    value: (row) => row.means[measure],
    cell: ({ means, intervals }) => [
      html("span", { class: "value" }, decimals(means[measure])),
      drawn(means[measure], intervals[measure]),
      html("span", { class: "interval" }, range(intervals[measure])),
    ],
  };
}

// Each letter has its own place, so that in rows that share it the letters join to a bar.
function groupColumn(shown, measure) {
  const groups = (shown.groups || {})[measure];
  if (!groups) return null;
  const letters = [...new Set(groups.join(""))].sort();
  const cell = (own) => letters.map((letter) =>
    own.includes(letter) ? html("span", { class: "in" }, letter) : html("span", {}));
  return {
    key: "group",
    label: "Group",
    ascending: true,
    kind: "group",
    title: "Systems that share a letter do not differ significantly",
    value: (row) => groups[row.system] || null,
    cell: (row) => html("span", { class: "letters" }, cell(groups[row.system])),
  };
}

// Over all data sets: the same measure on each, the best of each bold.
function byDataset(shown, measure) {
  const columns = views.filter((one) => one.dataset !== null).map((one) => {
    const value = ({ system }) => one.rows[system].means[measure];
    const top = Math.max(...worked(one).map((row) => row.means[measure] ?? -Infinity));
    const cell = (row) => value(row) === top
      ? html("b", { class: "top" }, decimals(top), unseen(" (best)")) : decimals(value(row));
    return { key: `dataset ${one.dataset}`, label: foreign(one.label), value, cell };
  });
  const mean = { key: "mean", label: "Mean", value: (row) => row.means[measure],
    cell: (row) => decimals(row.means[measure]) };
  return [
    html("h3", {}, `${measure} on each data set`),
    sortableTable({
      caption: `${measure} by data set; the best of each is bold`,
      columns: [nameColumn, mean, ...columns],
      rows: shown.rows,
      order: { key: "mean", descending: true },
      error: (row) => (columns.every((column) => isMissing(column.value(row))) ? row.error : null),
    }),
  ];
}
