// Attention: which text, which layer, which head; the text shaded for one word, and the matrix of all.

const looking = { side: "passage", layer: -1, head: -1, over: null, chosen: null };
const sides = { passage, query };
let lookingText = null;
let attentionMatrix = null;
let table = []; // what each word takes from each, as it is chosen

const weight = (from, to) => table[from * sides[looking.side].shown + to];
const perCent = (value) => `${decimals(100 * value, 1)} %`;

const choice = (name, label, options, chosen) => html("label", { class: "field" }, `${label} `, html("select", {
  id: name, change: (event) => { looking[name] = Number(event.target.value); renderHeads(); renderMatrix(); renderLooks(); },
}, options.map(([value, text]) => html("option", { value, selected: value === chosen }, text))));
const { layers, heads } = passage;

byId("choosers").append(
  html("fieldset", {}, html("legend", {}, "Text"), ["passage", "query"].map((side) => html("label", {},
    html("input", { type: "radio", name: "side", value: side, checked: side === looking.side,
      change: () => { Object.assign(looking, { side, over: null, chosen: null }); renderSide(); } }), side))),
  choice("layer", "Layer", [[-1, "all (rollout)"], ...upTo(layers).map((layer) => [layer, layer + 1])], looking.layer),
  choice("head", "Head", [[-1, "mean of all"], ...upTo(heads).map((head) => [head, head + 1])], looking.head),
);

function renderHeads() {
  byId("head").disabled = looking.layer < 0;
}

function renderSide() {
  const side = sides[looking.side];
  lookingText = new RunningText(side, `Where words of the ${looking.side} look`, {
    said: (place) => [html("b", {}, word(side.words[place])), " gets ", perCent(received(side, place)), " on average"],
    over: (place) => { looking.over = place; renderLooks(); },
    press: (place) => { looking.chosen = looking.chosen === place ? null : place; renderLooks(); },
    most: side.shown,
    small: true,
  });
  fill("looking", lookingText.box, side.shown < side.words.length
    ? note(`Maps are of the first ${count(side.shown, "word")} of ${whole(side.words.length)}.`) : null);
  renderMatrix();
  renderLooks();
}

const received = (side, to) => sum(upTo(side.shown).map((from) => weight(from, to))) / (side.shown || 1);
const sum = (values) => values.reduce((total, value) => total + value, 0);

function renderMatrix() {
  const side = sides[looking.side];
  const shown = side.words.slice(0, side.shown);
  const all = upTo(side.shown);
  table = all.flatMap((from) => all.map((to) => attention(side, looking.layer, looking.head, from, to)));
  // special tokens get more than all others, and say less: colours are for words among themselves
  const plain = side.plain.filter((place) => place < side.shown);
  const scale = scaleOf(plain.flatMap((from) => plain.filter((to) => to !== from).map((to) => weight(from, to))));
  if (attentionMatrix) attentionMatrix.watch.disconnect();
  attentionMatrix = new Matrix(byId("attention"), {
    label: `Attention between words of the ${looking.side}: from rows to columns`,
    words: [shown, shown],
    value: weight,
    strength: (value) => scale.strength(value) ** 0.7,
    said: (from, to) => `${quoted(shown[from])} takes ${perCent(weight(from, to))} from ${quoted(shown[to])}`,
    largest: 13,
  });
}

function renderLooks() {
  const side = sides[looking.side];
  const from = looking.over ?? looking.chosen;
  const value = from === null ? (to) => received(side, to) : (to) => weight(from, to);
  const plain = side.plain.filter((to) => to < side.shown);
  const scale = scaleOf(plain.map(value));
  lookingText.shade((to) => scale.strength(value(to)), { pressed: looking.chosen, name: (to) => `${side.words[to]}, ${perCent(value(to))}` });
  const most = best(plain, value, 4);
  const told = most.flatMap((to, at) => [at ? ", " : "", html("b", {}, word(side.words[to])), ` ${perCent(value(to))}`]);
  const special = sum([...side.special].filter((to) => to < side.shown).map(value));
  fill("looks", from === null ? "On average words look at " : [html("b", {}, word(side.words[from])), " looks at "], told,
    side.special.size ? `; ${perCent(special)} goes to special tokens.` : ".");
}
