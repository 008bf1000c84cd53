// Scores of what was retrieved, relevant above the line and the rest below it: one small plot per system.

function renderScores() {
  const single = view().dataset !== null;
  fill("scores-elsewhere", single ? [] : elsewhere("Scores"));
  byId("scores-body").hidden = !single;
  const rows = best(view(), state.measure).filter((row) => row.scores && row.scores.edges.length > 1);
  fill("scores-plots", single ? rows.map(scorePlot) : []);
}

function scorePlot({ system, scores: { edges, relevant, other } }) {
  const title = `Scores of ${isolated(systems[system].name)}`;
  return figure({
    kind: "histogram",
    print: 210,
    title,
    caption: named(system),
    description: `Scores from ${brief(edges[0])} to ${brief(edges.at(-1))} of ${whole(sum(relevant))} relevant `
      + `documents and ${whole(sum(other))} others.`,
    draw: (width) => drawScores(width, edges, relevant, other),
    table: () => plainTable(title, ["Score from", "to", "Relevant", "Other"],
      relevant.map((number, bin) => [brief(edges[bin]), brief(edges[bin + 1]), whole(number), whole(other[bin])])),
  });
}

// How often a relevant document scores above another one, from the counts; those in one bin count half.
function outranks(relevant, other) {
  let [below, won] = [0, 0];
  relevant.forEach((number, bin) => {
    won += number * (below + other[bin] / 2);
    below += other[bin];
  });
  return sum(relevant) && below ? won / (sum(relevant) * below) : null;
}

function drawScores(width, edges, relevant, other) {
  const height = 170;
  const box = { left: 4, right: width - 4, top: 20, bottom: height - 22 };
  const middle = (box.top + box.bottom) / 2;
  const x = scale(edges[0], edges.at(-1), box.left, box.right);
  const shares = (counts) => counts.map((number) => number / (sum(counts) || 1));
  const [above, below] = [shares(relevant), shares(other)];
  const reach = (middle - box.top) / (Math.max(...above, ...below) || 1);
  const bar = (share, bin, name, top) => share > 0 && svg("rect", { class: name,
    x: (x(edges[bin]) + 0.5).toFixed(2), width: Math.max(0.5, x(edges[bin + 1]) - x(edges[bin]) - 1).toFixed(2),
    y: top.toFixed(2), height: (share * reach).toFixed(2) });
  const odds = outranks(relevant, other);
  const toRight = { "text-anchor": "end" };
  return {
    height,
    shapes: [
      above.map((share, bin) => bar(share, bin, "bar-relevant", middle - share * reach)),
      below.map((share, bin) => bar(share, bin, "bar-other", middle)),
      rule(box.left, middle, box.right, middle, "base"),
      text(box.left, 12, `${whole(sum(relevant))} relevant`, { class: "label" }),
      odds !== null && text(box.right, 12, `above another: ${percent(odds)}`, { class: "label", ...toRight }),
      text(box.left, height - 6, tidy(edges[0])),
      text(width / 2, height - 6, `${whole(sum(other))} other`, { class: "label", "text-anchor": "middle" }),
      text(box.right, height - 6, tidy(edges.at(-1)), toRight),
    ],
  };
}
