// The passage, shaded by what its words add to the score, or by how like the query's they are.

const MODES = shares ? { share: "what each word adds to the score", like: "how like a word of the query" } : { like: "how like a word of the query" };
const answer = { mode: shares ? "share" : "like", over: null, chosen: null };
const quoted = (text) => `“${isolated(text)}”`;
const word = (text) => foreign(text, { class: "told" });

function saidOfWord(place) {
  const told = [html("b", {}, word(passage.words[place]))];
  if (shares) told.push(` adds ${signed(shares[place], 4)} (${percentOf(shares[place])})`);
  if (likest[place] !== null) told.push(html("br"), `most like ${quoted(query.words[likest[place]])}, ${decimals(like(place), 2)}`);
  return told;
}
const percentOf = (share) => (view.score > 0 ? `${decimals((100 * share) / view.score, 1)} % of the score` : "of a score that is not above 0");

const passageText = new RunningText(passage, "Passage", {
  said: saidOfWord,
  over: (place) => markAsked(place === null ? null : likest[place]),
  press: (place) => choose(likest[place]),
});
byId("passage").append(passageText.box);

const chips = new Map();
byId("query").append(...query.plain.map((asked) => {
  const look = (over) => () => { answer.over = over; renderAnswer(); };
  const chip = html("button", {
    type: "button", "aria-pressed": "false", dir: "auto", pointerenter: look(asked), pointerleave: look(null), focus: look(asked),
    blur: look(null), click: () => choose(asked),
  }, query.words[asked]);
  chips.set(asked, chip);
  return chip;
}));

byId("modes").append(
  html("fieldset", {}, html("legend", {}, "Shade words by"), Object.entries(MODES).map(([mode, name]) =>
    html("label", {}, html("input", { type: "radio", name: "mode", value: mode, checked: mode === answer.mode,
      change: () => { Object.assign(answer, { mode, chosen: null }); renderAnswer(); } }), name))),
);

function choose(asked) {
  answer.chosen = answer.chosen === asked ? null : asked;
  renderAnswer();
}

// The word of the query that belongs to the one that is pointed at.
function markAsked(asked) {
  for (const [each, chip] of chips) chip.setAttribute("aria-pressed", String(each === (asked ?? answer.chosen)));
}

function renderAnswer() {
  const asked = answer.over ?? answer.chosen;
  markAsked(answer.chosen);
  if (asked !== null) {
    const nearest = best(passage.plain, (found) => cosine(asked, found), 3);
    passageText.shade((found) => likeScale.strength(cosine(asked, found)), {
      marked: nearest.slice(0, 1), name: (found) => `${passage.words[found]}, ${decimals(cosine(asked, found), 2)}`,
    });
    fill("say", html("b", {}, word(query.words[asked])), " is most like ", listed(nearest, (found) => decimals(cosine(asked, found), 2)), ".");
  } else if (answer.mode === "share") {
    const most = best(passage.plain, (found) => shares[found], 5);
    passageText.shade((found) => shareScale.strength(shares[found]), { name: (found) => `${passage.words[found]}, ${signed(shares[found], 4)}` });
    const middle = shareScale.low;
    fill("say", "The score of ", html("b", {}, decimals(view.score, 4)), " is the sum of what all words add. Most: ",
      listed(most, (found) => signed(shares[found], 3)), `; half of them add less than ${decimals(middle, 4)}.`);
  } else {
    const most = best(passage.plain, like, 5);
    passageText.shade((found) => bestScale.strength(like(found)), { name: (found) => `${passage.words[found]}, ${decimals(like(found), 2)}` });
    fill("say", view.note ? `${sentence(view.note)} ` : null, "Each word by the word of the query that it is most like: ",
      listed(most, (found) => `${decimals(like(found), 2)} (${query.words[likest[found]] ?? MISSING})`), ".");
  }
  if (asked !== null) renderLegend(likeScale, 2);
  else if (answer.mode === "share") renderLegend(shareScale, 4);
  else renderLegend(bestScale, 2);
}
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
const listed = (places, told) => places.flatMap((found, at) => [at ? ", " : "", html("b", {}, word(passage.words[found])), ` ${told(found)}`]);

function renderLegend(scale, digits) {
  const text = (value) => decimals(value, digits);
  fill("legend", scale.lowest < 0 ? [html("span", {}, "below 0"), html("i", { class: "cold" })] : [],
    html("span", {}, `${text(scale.low)} (median)`), html("i"), html("span", {}, text(scale.high)));
}

if (passage.leftOut) {
  byId("left-out").hidden = false;
  fill("left-out", `${count(passage.leftOut, "token")} behind ${passage.leftOut === 1 ? "this was" : "these were"} not looked at.`);
}

byId("numbers").addEventListener("toggle", () => {
  if (byId("tables").childElementCount) return;
  const cells = (tag, values) => values.map((value, at) => html(tag, tag === "th" ? { scope: "col" } : { class: at ? "" : "text" }, value));
  const table = (caption, head, rows) => html("table", {}, html("caption", {}, caption),
    html("thead", {}, html("tr", {}, cells("th", head))), html("tbody", {}, rows.map((row) => html("tr", {}, cells("td", row)))));
  const value = shares ? (found) => shares[found] : like;
  fill("tables",
    table(shares ? "What words add to the score" : "Words most like the query's", ["word", shares ? "adds" : "cosine", "most like", "cosine"],
      best(passage.plain, value, 40).map((found) => [word(passage.words[found]), decimals(value(found), shares ? 4 : 2),
        likest[found] === null ? MISSING : word(query.words[likest[found]]), decimals(like(found), 2)])),
    table("The nearest of each word of the query", ["word", "nearest", "cosine"], query.plain.flatMap((asked) =>
      best(passage.plain, (found) => cosine(asked, found), 1).map((found) => [word(query.words[asked]), word(passage.words[found]), decimals(cosine(asked, found), 2)]))));
});

const similarityMatrix = new Matrix(byId("similarity"), {
  label: "Similarity of words of the query (rows) and of the passage (columns)",
  words: [query.words, passage.words],
  value: cosine,
  strength: (value) => Math.max(0, likeScale.strength(value)),
  said: (asked, found) => `${quoted(query.words[asked])} and ${quoted(passage.words[found])}: ${decimals(cosine(asked, found), 2)}`,
  bands: true,
});
