// The data of the page, see payload.py: words of the query and the passage, matrices between them.

const view = JSON.parse(byId("data").textContent);
const { query, passage, shares } = view;
const unpacked = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

for (const side of [query, passage]) {
  side.special = new Set(side.special);
  side.attention = unpacked(side.attention);
  side.rollout = unpacked(side.rollout);
  side.plain = side.words.map((_, place) => place).filter((place) => !side.special.has(place));
}

const similarities = unpacked(view.similarity);
const cosine = (asked, found) => similarities[asked * passage.words.length + found] / 127.5 - 1;

// What the word `from` takes from the word `to`; a layer of -1 is all of them together, a head of -1 the mean of all.
function attention(side, layer, head, from, to) {
  const { shown, heads } = side;
  const root = (bytes, at) => (bytes[(at * shown + from) * shown + to] / 255) ** 2;
  if (layer < 0) return root(side.rollout, 0);
  if (head >= 0) return root(side.attention, layer * heads + head);
  let total = 0;
  for (let each = 0; each < heads; each++) total += root(side.attention, layer * heads + each);
  return total / heads;
}

const upTo = (size) => [...Array(size).keys()];
const best = (places, value, most) => [...places].sort((a, b) => value(b) - value(a)).slice(0, most);

// The word of the query that a word of the passage is most like.
const likest = upTo(passage.words.length).map((found) => best(query.plain, (asked) => cosine(asked, found), 1)[0] ?? null);
const like = (found) => (likest[found] === null ? 0 : cosine(likest[found], found));

// Colours begin at the median, so that what is common to all words is no colour; below zero they are others.
function scaleOf(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const low = Math.max(0, sorted[sorted.length >> 1] ?? 0);
  const high = Math.max(low + 1e-9, sorted.at(-1) ?? 0);
  const lowest = Math.min(0, sorted[0] ?? 0);
  const strength = (value) =>
    value < 0 ? value / Math.max(high, -lowest) : Math.max(0, Math.min(1, (value - low) / (high - low)));
  return { low, high, lowest, strength };
}
const pairs = query.plain.flatMap((asked) => passage.plain.map((found) => cosine(asked, found)));
const likeScale = scaleOf(pairs);
const bestScale = scaleOf(passage.plain.map(like));
const shareScale = shares && scaleOf(passage.plain.map((place) => shares[place]));

const isDark = () => (theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
let theme = null;
