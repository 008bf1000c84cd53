// The theme, and the start.

function renderTheme() {
  levels = null;
  document.documentElement.dataset.theme = theme || "";
  byId("theme").setAttribute("aria-pressed", String(isDark()));
  for (const matrix of [similarityMatrix, attentionMatrix]) matrix.draw();
}
byId("theme").addEventListener("click", () => {
  theme = isDark() ? "light" : "dark";
  renderTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renderTheme);

// Paper is light, whatever the window is.
let before = null;
addEventListener("beforeprint", () => {
  [before, theme] = [theme, "light"];
  renderTheme();
});
addEventListener("afterprint", () => {
  theme = before;
  renderTheme();
});

renderAnswer();
renderHeads();
renderSide();
renderTheme();
