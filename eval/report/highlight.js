// Marking a query's words in a passage: whole words in any script, with their English endings taken off.

const COMMON = new Set(`a an and are as at be been by can do does for from had has have how i if in into is it its may
  not of on or such than that the their there these they this to was were what when where which who why will with
  you`.split(/\s+/));
const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });

const root = (word) => word.toLowerCase().replace(/(?<=...)(?:es|s|ing|ed)$/, "");

function rootsOf(text) {
  const words = [...segmenter.segment(text)].filter(({ isWordLike }) => isWordLike).map(({ segment }) => segment);
  return new Set(words.filter((word) => !COMMON.has(word.toLowerCase())).map(root));
}

function marked(passage, roots) {
  const parts = [];
  for (const { segment, isWordLike } of segmenter.segment(passage)) {
    if (isWordLike && roots.has(root(segment))) parts.push(html("mark", {}, segment));
    else if (typeof parts.at(-1) === "string") parts.push(parts.pop() + segment);
    else parts.push(segment);
  }
  return foreign(parts);
}
