// What a system takes: time, space, and the ends of texts that its embedder did not see.

const COSTS = {
  index_seconds: { label: "Indexing", value: (cost) => cost.index_seconds, show: duration },
  query_seconds: { label: "All queries", value: (cost) => cost.query_seconds, show: duration },
  p50: { label: "Latency p50", value: (cost) => cost.latency_ms?.p50, show: milliseconds },
  p95: { label: "Latency p95", value: (cost) => cost.latency_ms?.p95, show: milliseconds },
  p99: { label: "Latency p99", value: (cost) => cost.latency_ms?.p99, show: milliseconds },
  vector_bytes: { label: "Vectors", value: (cost) => cost.vector_bytes, show: bytes },
  index_bytes: { label: "Index", value: (cost) => cost.index_bytes, show: bytes },
  peak_memory_bytes: { label: "Peak memory", value: (cost) => cost.peak_memory_bytes, show: bytes },
  chunks: { label: "Chunks", value: (cost) => cost.chunks, show: whole },
  truncated_chunks: { label: "Cut off", value: (cost) => cost.truncated_chunks, show: whole },
  truncated_tokens: { label: "Tokens lost", value: (cost) => cost.truncated_tokens, show: whole },
};

function costColumn(key) {
  const { label, value, show } = COSTS[key];
  const sorted = (row) => value(row.cost);
  return { key, label, ascending: true, kind: "number cost", value: sorted, cell: (row) => show(sorted(row)) };
}

function renderCost() {
  const judged = { key: "judged", label: "Judged", value: (row) => row.judged, cell: (row) => percent(row.judged) };
  fill("cost-table", sortableTable({
    name: "costs",
    caption: `${view().label}: what each system took`,
    columns: [nameColumn, ...Object.keys(COSTS).map(costColumn), judged],
    rows: view().rows,
    order: { key: "p50", descending: false },
    error: (row) => row.error,
  }));
  const notes = worked(view()).flatMap(({ system, notes: said }) =>
    (said || []).map((text) => html("li", {}, named(system), ": ", foreign(text))));
  fill("notes", notes);
  byId("notes").hidden = !notes.length;
}
