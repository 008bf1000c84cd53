// The data of the map, see page.py: points, and behind them the queries.

const map = JSON.parse(byId("data").textContent);
const size = map.names.length;
const points = size - map.queries;
const isQuery = (point) => point >= points;
const ofWords = map.kind === "words";
const groups = map.groups;
const groupOf = (point) => (isQuery(point) ? -1 : groups.of[point]);
const asked = new Set(map.asked);

// What is chosen, pointed at, singled out, and searched for; change() draws again.
const state = { chosen: null, over: null, group: null, words: "", theme: null };

const lower = map.names.map((name, point) => `${name}\n${map.titles[point] || ""}\n${map.texts[point] || ""}`.toLowerCase());
const matching = (words) => {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return wanted.length ? [...lower.keys()].filter((point) => wanted.every((word) => lower[point].includes(word))) : [];
};
let matches = new Set();

function change(changes) {
  const keys = Object.keys(changes).filter((key) => state[key] !== changes[key]);
  if (!keys.length) return;
  Object.assign(state, changes);
  if (keys.includes("words")) matches = new Set(matching(state.words));
  render(keys);
}

// A point in a line: a word, a query, or the title of a chunk before its id.
const headline = (point) => (isQuery(point) ? `“${map.names[point]}”` : map.titles[point] || map.names[point]);
