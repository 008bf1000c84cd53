// The frame of a plot: ticks, grid and the names of its axes. Grid lines carry the eye to numbers and stay faint.

const text = (x, y, content, attributes = {}) =>
  svg("text", { x: x.toFixed(2), y: y.toFixed(2), ...attributes }, content);

function rule(x1, y1, x2, y2, name) {
  return svg("line", { class: name, x1: x1.toFixed(2), y1: y1.toFixed(2), x2: x2.toFixed(2), y2: y2.toFixed(2) });
}

// box: {left, right, top, bottom} in pixels; xFormat(tick), yFormat(tick, digits that tell the ticks apart).
function axes(box, x, y, { xName = "", yName = "", xFormat = tidy, yFormat = decimals, xTicks = null }) {
  const across = xTicks || x.ticks(Math.max(2, Math.floor((box.right - box.left) / 70)));
  const up = y.ticks(Math.max(2, Math.floor((box.bottom - box.top) / 45)));
  const digits = Math.max(...up.map((tick) => (String(tick).split(".")[1] || "").length));
  return svg("g", { class: "axes" },
    up.map((tick) => [
      rule(box.left, y(tick), box.right, y(tick), "grid"),
      text(box.left - 8, y(tick) + 4, yFormat(tick, digits), { "text-anchor": "end" }),
    ]),
    across.length > 0 && rule(box.left, box.bottom, box.right, box.bottom, "base"),
    across.map((tick) => [
      rule(x(tick), box.bottom, x(tick), box.bottom + 4, "base"),
      text(x(tick), box.bottom + 18, xFormat(tick), { "text-anchor": "middle" }),
    ]),
    text(0, box.top - 14, yName),
    text(box.right, box.bottom + 36, xName, { "text-anchor": "end" }));
}
