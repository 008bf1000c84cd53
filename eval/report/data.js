// The report's data. A block is parsed when it is first asked for; payload.py says what each holds, views.py what
// report.views are.

const parsed = new Map();

function block(name) {
  if (!parsed.has(name)) parsed.set(name, JSON.parse(byId(`data-${name}`).textContent));
  return parsed.get(name);
}

const report = block("summary");
const { systems, views } = report;
const alpha = Number((1 - report.confidence).toFixed(9)); // 1 - 0.95 is a little more than 0.05
const confident = `${tidy(100 * report.confidence)} %`;
const advised = (report.recommendation || {}).system;

function paged(kind, dataset, number) {
  return block(`${kind}-${dataset}-${Math.floor(number / report.block)}`)[number % report.block];
}

// Of one dataset: what is known about its single queries.
const details = (dataset) => ({
  queries: block(`queries-${dataset}`),
  values: (measure, system) => (block(`values-${dataset}`)[measure] || [])[system],
  hits: (system, query) => block(`hits-${dataset}-${system}`)[query] || [],
  document: (number) => paged("texts", dataset, number),
  passage: (number) => paged("passages", dataset, number),
});

for (const one of views)
  one.rows = one.rows.map((row, system) => ({ means: {}, intervals: {}, cost: {}, ...row, system }));

const sum = (values) => values.reduce((total, value) => total + value, 0);
const worked = (view) => view.rows.filter((row) => !row.error);
const best = (view, measure) =>
  worked(view).sort((a, b) => (b.means[measure] ?? -Infinity) - (a.means[measure] ?? -Infinity));

// The comparison of two systems as the first sees it: the stored one, or its mirror image.
function comparison(view, measure, a, b) {
  const pairs = (view.comparisons || {})[measure] || [];
  const stored = pairs.find((pair) => pair.a === a && pair.b === b);
  const mirror = stored ? null : pairs.find((pair) => pair.a === b && pair.b === a);
  if (!mirror) return stored || null;
  const { difference, low, high, effect, wins, losses } = mirror;
  const turned = (value) => (isMissing(value) ? value : -value);
  return { ...mirror, a, b, difference: turned(difference), low: turned(high), high: turned(low),
    effect: turned(effect), wins: losses, losses: wins };
}

function significant({ significant: told, p_holm: p }) {
  return told ?? (!isMissing(p) && p < alpha);
}
