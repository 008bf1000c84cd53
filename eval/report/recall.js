// Recall after k hits, one line per system, named at its end.

function renderRecall() {
  const curves = best(view(), state.measure).filter((row) => row.recall?.k?.length)
    .map(({ system, recall }) => ({ system, name: systems[system].name, ...recall }));
  if (!curves.length) return fill("depth-plot", note("There are no recall curves for this view."));
  const depths = [...new Set(curves.flatMap((curve) => curve.k))].sort((a, b) => a - b);
  const at = (curve, k) => curve.values[curve.k.indexOf(k)];
  const told = curves.map(({ name, k, values }) =>
    `${name}: ${decimals(values[0])} at ${k[0]}, ${decimals(values.at(-1))} at ${k.at(-1)}`);
  fill("depth-plot", figure({
    kind: "recall",
    title: `Recall after k hits, ${view().label}`,
    description: told.join("; "),
    draw: (width) => drawRecall(width, curves, depths, at),
    table: () => plainTable("Recall after k hits", ["System", ...depths.map((k) => `k = ${k}`)],
      curves.map((curve) => [foreign(curve.name), ...depths.map((k) => decimals(at(curve, k)))])),
  }));
  return null;
}

function drawRecall(width, curves, depths, at) {
  const height = Math.max(320, Math.min(460, width * 0.5));
  const side = Math.min(width * 0.42, 24 + Math.max(...curves.map((curve) => textWidth(curve.name))));
  const box = { left: 40, right: width - side, top: 30, bottom: height - 44 };
  const highest = Math.max(0.1, ...curves.flatMap((curve) => curve.values));
  const x = scale(depths[0], depths.at(-1), box.left + 8, box.right - 8, true);
  const y = scale(0, Math.ceil(10 * highest - 1e-9) / 10, box.bottom, box.top);
  const lasts = curves.map((curve) => y(curve.values.at(-1)));
  const ends = spread(lasts, Math.min(16, (box.bottom - box.top) / curves.length), box.top, box.bottom - 4);
  const apart = depths.filter((k, place) => place === 0 || x(k) - x(depths[place - 1]) > 22);
  const curve = ({ system, name, k, values }, place) => svg("g", {},
    svg("path", { class: "line", stroke: colour(system), "stroke-dasharray": dash(system), "data-system": system,
      d: k.map((depth, step) => `${step ? "L" : "M"}${x(depth).toFixed(1)} ${y(values[step]).toFixed(1)}`).join("") }),
    k.map((depth, step) => mark(system, x(depth), y(values[step]), { size: 3 })),
    rule(box.right - 4, lasts[place], box.right + 5, ends[place], "leader"),
    mark(system, box.right + 12, ends[place], { size: 4 }),
    text(box.right + 21, ends[place] + 4, shortened(name, side - 24), { class: "label" }));
  const ranked = (k) => [...curves].sort((a, b) => at(b, k) - at(a, k));
  return {
    height,
    shapes: [
      axes(box, x, y, { xName: "first k hits →", yName: "↑ Recall", xTicks: apart, xFormat: String }),
      curves.map(curve),
    ],
    spots: depths.map((k) => ({
      x: x(k),
      y: (box.top + box.bottom) / 2,
      h: box.bottom - box.top,
      label: `k = ${k}: ${ranked(k).map((one) => `${isolated(one.name)} ${decimals(at(one, k))}`).join(", ")}`,
      content: () => [html("b", {}, `k = ${k}`), html("ol", { class: "ranked" }, ranked(k).map((one) =>
        html("li", {}, `${decimals(at(one, k))} `, named(one.system))))],
    })),
  };
}
