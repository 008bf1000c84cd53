// The page: what each section depends on, its controls, and the start.

const LIGHT = [renderLeaderboard, renderTrades, renderCost, renderPairs, renderRecall, renderScores];
const SECTIONS = [
  { needs: ["view", "measure"], parts: LIGHT },
  { needs: ["view", "measure", "a", "b"], parts: [renderQueries, renderSearch], heavy: true },
  { needs: ["view", "measure", "a", "b", "query"], parts: [renderDrilldown], heavy: true },
  { needs: ["a", "b"], parts: [markPair] },
  { needs: ["view", "measure", "theme"], parts: [renderControls] },
];

// The blocks of single queries stand behind this script; until they have arrived, only the light sections are drawn.
const complete = () => document.readyState !== "loading";

function render(keys) {
  tip.hide();
  for (const { needs, parts, heavy } of SECTIONS)
    if (needs.some((key) => keys.includes(key)) && (!heavy || complete())) parts.forEach((part) => part());
}

const isDark = () => (state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);

function renderControls() {
  for (const input of byId("views").querySelectorAll("input")) input.checked = Number(input.value) === state.view;
  for (const id of ["measure", "measure-here"]) byId(id).value = state.measure;
  document.documentElement.dataset.theme = state.theme || "";
  byId("theme").setAttribute("aria-pressed", String(isDark()));
  fill("printed", `${view().label} · ${state.measure}`);
}

// What stands in a section that only single data sets have.
const elsewhere = (what) => [note(`${what} belong to one data set. Choose it: `, views.map((one, number) =>
  one.dataset !== null
    && html("button", { type: "button", click: () => change({ view: number }) }, foreign(one.label))))];

// The address keeps the state, so a link inside the page only moves it.
function goTo(id) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  byId(id).scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  byId(id).focus({ preventScroll: true });
}

function connect() {
  fill("views", byId("views").firstElementChild, views.map((one, number) => html("label", {},
    html("input", { type: "radio", name: "view", value: number, change: () => change({ view: number }) }),
    foreign(one.label))));
  byId("views").hidden = views.length < 2;
  for (const id of ["measure", "measure-here"]) {
    fill(id, report.measures.map((measure) => html("option", { value: measure }, measure)));
    byId(id).addEventListener("change", (event) => change({ measure: event.target.value }));
  }
  for (const [key, other] of [["a", "b"], ["b", "a"]])
    byId(`system-${key}`).addEventListener("change", ({ target }) => {
      const chosen = Number(target.value);
      change(chosen === state[other] ? { [key]: chosen, [other]: state[key] } : { [key]: chosen });
    });
  byId("swap").addEventListener("click", () => change({ a: state.b, b: state.a }));
  byId("theme").addEventListener("click", () => change({ theme: isDark() ? "light" : "dark" }));
  for (const link of document.querySelectorAll("a[href^='#']"))
    link.addEventListener("click", (event) => {
      event.preventDefault();
      goTo(link.getAttribute("href").slice(1));
    });
  fill("config", JSON.stringify(report.config ?? {}, null, 2));
  fill("versions", Object.entries(report.versions ?? {}).map(([name, version]) =>
    html("div", {}, html("dt", {}, foreign(name)), html("dd", {}, foreign(String(version))))));
}

function restore(keys) {
  readHash();
  render(keys);
}

connect();
restore(Object.keys(state));
addEventListener("DOMContentLoaded", () => restore(["a", "b", "query"]));
addEventListener("popstate", () => restore(Object.keys(state)));
