// A plot: a picture with title and description, places to point at, and its numbers as a table.

const painters = new WeakMap();
const widths = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) paint(target, Math.floor(contentRect.width));
});

// Calls draw(width) when `canvas` has been laid out, and whenever its width changes.
function responsive(canvas, draw) {
  painters.set(canvas, { draw, drawn: 0 });
  widths.observe(canvas);
}

function paint(canvas, width) {
  const painter = painters.get(canvas);
  if (width < 1 || painter.drawn === width) return;
  painter.drawn = width;
  painter.draw(width);
}

// Paper has another width than the window, and the observer does not see it.
const repaint = (width) => document.querySelectorAll("[data-print]").forEach((canvas) => paint(canvas, width(canvas)));
addEventListener("beforeprint", () => repaint((canvas) => Number(canvas.dataset.print)));
addEventListener("afterprint", () => repaint((canvas) => canvas.clientWidth));

let serial = 0;

// `draw(width)` gives {height, shapes, spots}: SVG nodes, and places [{x, y, w, h, label, content}] with a tooltip.
// `print` is the width on paper in CSS pixels; a page of A4 has 700.
function figure({ title, description, draw, table, caption = title, over = null, kind = null, print = 690 }) {
  serial += 1;
  const [titleId, textId] = [`title-${serial}`, `text-${serial}`];
  const picture = html("div", { class: "picture" });
  const canvas = html("div", { class: "canvas", "data-print": print }, picture, over);
  responsive(canvas, (width) => {
    const { height, shapes, spots = [] } = draw(width);
    const size = { width, height, viewBox: `0 0 ${width} ${height}` };
    picture.replaceChildren(
      svg("svg", { role: "img", "aria-labelledby": titleId, "aria-describedby": textId, ...size },
        svg("title", { id: titleId }, title), svg("desc", { id: textId }, description), shapes),
      ...(spots.length ? [spotList(spots, size, title)] : []));
  });
  return html("figure", { class: kind }, html("figcaption", {}, caption), canvas,
    table && onDemand("The numbers of this plot", table));
}

// Buttons over the picture: they take the pointer, the keyboard and touch, and have a name for screen readers.
function spotList(spots, { width, height }, title) {
  return html("ul", { class: "spots", "aria-label": title }, spots.map(({ x, y, w = 24, h = 24, label, content }) => {
    const button = html("button", { type: "button", "aria-label": label, ...tipped(content) });
    const place = { left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`, width: `${w}px`, height: `${h}px` };
    Object.assign(button.style, place);
    return html("li", {}, button);
  }));
}

// Folded away, and not even made before it is opened.
function onDemand(title, make) {
  const fold = html("details", {}, html("summary", {}, title));
  fold.addEventListener("toggle", () => fold.open && fold.children.length === 1 && fold.append(make()));
  return fold;
}
