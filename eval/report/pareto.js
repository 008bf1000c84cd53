// Quality against a cost, with the Pareto front: the systems that no other beats in both.

const TRADES = {
  "trade-time": ["p50", "p95", "query_seconds", "index_seconds"],
  "trade-memory": ["vector_bytes", "index_bytes", "peak_memory_bytes"],
};
const chosenCost = { "trade-time": "p50", "trade-memory": "vector_bytes" };

const renderTrades = () => Object.keys(TRADES).forEach(renderTrade);

// Cheapest first; each next one is dearer and better.
function paretoFront(points) {
  const front = [];
  for (const point of [...points].sort((a, b) => a.cost - b.cost || b.quality - a.quality))
    if (!front.length || point.quality > front.at(-1).quality) front.push(point);
  return front;
}

function renderTrade(place) {
  const known = (key) => worked(view()).some((row) => !isMissing(COSTS[key].value(row.cost)));
  const offered = TRADES[place].filter(known);
  if (!offered.length) return fill(place, note("No system reports this cost."));
  const key = offered.includes(chosenCost[place]) ? chosenCost[place] : offered[0];
  const choose = (event) => {
    chosenCost[place] = event.target.value;
    renderTrade(place);
    byId(`${place}-cost`).focus();
  };
  const options = offered.map((other) => html("option", { value: other, selected: other === key }, COSTS[other].label));
  const select = html("select", { id: `${place}-cost`, change: choose }, options);
  fill(place, html("div", { class: "controls" }, html("label", { class: "field" }, "Cost ", select)),
    trade(state.measure, COSTS[key]));
  return null;
}

function trade(measure, cost) {
  const point = (row) => ({ system: row.system, name: systems[row.system].name, quality: row.means[measure],
    bounds: row.intervals[measure] || null, cost: cost.value(row.cost) });
  const points = worked(view()).map(point).filter((one) => !isMissing(one.quality) && !isMissing(one.cost));
  const front = paretoFront(points);
  for (const one of points) one.front = front.includes(one);
  const told = front.map((one) => `${one.name} (${cost.show(one.cost)}, ${decimals(one.quality)})`);
  return figure({
    kind: "pareto",
    print: 335,
    title: `${measure} against ${cost.label.toLowerCase()}, ${view().label}`,
    description: `${count(points.length, "system")}. On the Pareto front, from cheap to good: ${told.join("; ")}.`,
    draw: (width) => drawTrade(width, points, measure, cost),
    table: () => plainTable(`${measure} and ${cost.label.toLowerCase()}`,
      ["System", cost.label, measure, `${confident} interval`, "On the front"],
      points.map(({ name, quality, bounds, cost: spent, front: on }) =>
        [foreign(name), cost.show(spent), decimals(quality), range(bounds), on ? "yes" : "no"])),
  });
}

function drawTrade(width, points, measure, cost) {
  const height = Math.max(300, Math.min(400, width * 0.75));
  const box = { left: 48, right: width - 12, top: 30, bottom: height - 44 };
  const heights = points.flatMap((point) => [point.quality, ...(point.bounds || [])]);
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  const air = (high - low || 0.1) * 0.05;
  const x = costScale(points.map((point) => point.cost), box.left, box.right);
  const y = scale(low - air, high + air, box.bottom, box.top);
  const place = (point) => ({ ...point, x: x(point.cost), y: y(point.quality), ends: (point.bounds || []).map(y) });
  const placed = points.map(place).sort((a, b) => a.x - b.x);
  const front = placed.filter((point) => point.front);
  const line = front.map((point, step) => `${step ? `H${point.x}V` : `M${point.x} `}${point.y}`).join("");
  const important = [...placed].sort((a, b) => b.front - a.front || b.quality - a.quality);
  return {
    height,
    shapes: [
      axes(box, x, y,
        { xName: `${cost.label} →`, yName: `↑ ${measure}`, xFormat: (value) => cost.show(value, tidy) }),
      front.length > 0 && svg("path", { class: "front", d: `${line}H${box.right}` }),
      placed.map((point) => point.bounds && rule(point.x, point.ends[0], point.x, point.ends[1], "error-bar")),
      placed.map((point) => mark(point.system, point.x, point.y, { hollow: !point.front, size: 6 })),
      nameLabels(important, box, obstacles(placed, front, box)),
    ],
    spots: placed.map((point) => tradeSpot(point, measure, cost)),
  };
}

function tradeSpot({ x, y, name, quality, bounds, cost: spent, front }, measure, cost) {
  const said = [`${measure} ${decimals(quality)}`, `${cost.label.toLowerCase()} ${cost.show(spent)}`];
  const content = () => [html("b", {}, foreign(name)), html("br"), `${measure} ${decimals(quality)}`,
    bounds ? ` (${range(bounds)})` : "", html("br"), `${cost.label} ${cost.show(spent)}`];
  return { x, y, content, label: `${isolated(name)}: ${said.join(", ")}${front ? ", on the front" : ""}` };
}

// What a name should not cover if it can be helped: the intervals and the steps of the front.
function obstacles(placed, front, box) {
  const steps = front.map(({ x, y }, step) =>
    ({ left: x, right: front[step + 1]?.x ?? box.right, top: y - 2, bottom: y + 2 }));
  const strokes = placed.filter((point) => point.bounds)
    .map(({ x, ends }) => ({ left: x - 2, right: x + 2, top: ends[1], bottom: ends[0] }));
  return [...steps, ...strokes];
}
