// What depends on what, pointer and keys, and the start.

function render(keys) {
  if (keys.includes("theme")) {
    inks.clear();
    document.documentElement.dataset.theme = state.theme || "";
    byId("theme").setAttribute("aria-pressed", String(isDark()));
  }
  if (keys.includes("group")) renderLegend();
  if (keys.includes("words")) renderFound();
  if (keys.includes("chosen") || (keys.includes("words") && state.chosen !== null)) renderDetail();
  if (keys.includes("over") || keys.includes("chosen")) renderTip();
  redraw();
}

const isDark = () => (state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => render(["theme"]));
byId("theme").addEventListener("click", () => change({ theme: isDark() ? "light" : "dark" }));

const moved = (how) => {
  how();
  move();
  tip.hide();
  redraw();
};
byId("closer").addEventListener("click", () => moved(() => zoom(1.6)));
byId("farther").addEventListener("click", () => moved(() => zoom(1 / 1.6)));
byId("whole").addEventListener("click", () => moved(showAll));

// Fingers and the mouse: one moves the map, two zoom, a press without a move chooses.
const down = new Map();
let travelled = 0;
const place = (event) => [event.offsetX, event.offsetY];

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  down.set(event.pointerId, place(event));
  if (down.size === 1) travelled = 0;
});
canvas.addEventListener("pointermove", (event) => {
  const [x, y] = place(event);
  if (!down.has(event.pointerId)) {
    change({ over: pointAt(x, y) });
    canvas.classList.toggle("over", state.over !== null);
    return;
  }
  const [oldX, oldY] = down.get(event.pointerId);
  travelled += Math.hypot(x - oldX, y - oldY);
  const other = [...down].find(([id]) => id !== event.pointerId);
  if (other) {
    const [otherX, otherY] = other[1];
    zoom(Math.hypot(x - otherX, y - otherY) / (Math.hypot(oldX - otherX, oldY - otherY) || 1), otherX, otherY);
  } else if (travelled > 4) {
    pan(x - oldX, y - oldY);
    canvas.classList.add("dragged");
  }
  down.set(event.pointerId, [x, y]);
  moved(() => {});
});
canvas.addEventListener("pointerup", (event) => {
  if (down.size === 1 && travelled <= 4) {
    state.over = null;
    choose(pointAt(...place(event), event.pointerType === "touch" ? 24 : 14));
  }
});
for (const end of ["pointerup", "pointercancel"])
  canvas.addEventListener(end, (event) => {
    down.delete(event.pointerId);
    canvas.classList.remove("dragged");
  });
canvas.addEventListener("pointerleave", () => change({ over: null }));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  moved(() => zoom(2 ** (-event.deltaY / (event.deltaMode ? 12 : 300)), event.offsetX, event.offsetY));
}, { passive: false });

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const KEYS = {
  "+": () => zoom(1.6), "=": () => zoom(1.6), "-": () => zoom(1 / 1.6), 0: showAll, Escape: () => choose(null),
};
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow && event.shiftKey) moved(() => pan(-60 * arrow[0], 60 * arrow[1]));
  else if (arrow) {
    const other = state.chosen === null ? nearestToMiddle() : next(state.chosen, ...arrow);
    if (other !== null) choose(other);
  } else if (KEYS[event.key]) moved(KEYS[event.key]);
  else return;
  event.preventDefault();
});

new ResizeObserver(() => {
  const { width, height } = canvas.parentElement.getBoundingClientRect();
  resize(width - 2, height - 2);
  draw(canvas.getContext("2d")); // at once: a canvas that waits for the next frame is seen stretched
}).observe(canvas.parentElement);

// Paper is light, whatever the window is.
let before = null;
addEventListener("beforeprint", () => {
  before = state.theme;
  state.theme = "light";
  render(["theme"]);
  draw(canvas.getContext("2d"));
});
addEventListener("afterprint", () => change({ theme: before }));

renderLegend();
renderQueries();
render(["theme"]);
