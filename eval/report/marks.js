// How a system looks, the same in every plot: a colour, a shape and a dash, so that it never hangs on colour alone.

const COLOURS = 6;
const SHAPES = ["circle", "square", "triangle", "diamond", "wedge", "cross"];
const DASHES = ["none", "7 3", "2 3"];

const round = (system) => Math.floor(system / COLOURS);
const colour = (system) => `var(--system-${system % COLOURS})`;
const shape = (system) => SHAPES[(system + round(system)) % SHAPES.length];
const dash = (system) => DASHES[round(system) % DASHES.length];

const OUTLINES = {
  circle: (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`,
  square: (r) => `M${-0.9 * r} ${-0.9 * r}h${1.8 * r}v${1.8 * r}h${-1.8 * r}Z`,
  triangle: (r) => `M0 ${-1.15 * r}L${1.1 * r} ${0.8 * r}H${-1.1 * r}Z`,
  diamond: (r) => `M0 ${-1.25 * r}L${1.25 * r} 0L0 ${1.25 * r}L${-1.25 * r} 0Z`,
  wedge: (r) => `M0 ${1.15 * r}L${1.1 * r} ${-0.8 * r}H${-1.1 * r}Z`,
  cross: (r) => {
    const [a, h] = [1.15 * r, 0.4 * r];
    return `M${-h} ${-a}H${h}V${-h}H${a}V${h}H${h}V${a}H${-h}V${h}H${-a}V${-h}H${-h}Z`;
  },
};

function mark(system, x, y, { size = 5, hollow = false } = {}) {
  return svg("path", {
    class: hollow ? "mark hollow" : "mark",
    d: OUTLINES[shape(system)](size),
    transform: `translate(${x.toFixed(2)} ${y.toFixed(2)})`,
    stroke: colour(system),
    fill: hollow ? "var(--paper)" : colour(system),
    "data-system": system,
  });
}

// The mark in a line of text, before the system's name.
const swatch = (system) => svg("svg",
  { class: "swatch", viewBox: "-8 -8 16 16", width: 14, height: 14, "aria-hidden": "true" }, mark(system, 0, 0));

// It may break after the signs that a spec is made of.
const named = (system, before = null) => html("span", { class: "named" }, before, swatch(system),
  foreign(systems[system].name.split(/(?<=[+(,:/_-])/).flatMap((part) => [part, html("wbr")])));

// A value and its interval drawn in a table's cell. The numbers stand beside it, so screen readers pass it over.
function whisker(value, bounds, [low, high], { width = 84, reference = null, lit = true } = {}) {
  const [height, middle] = [16, 8];
  const x = scale(low, high, 5, width - 5);
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  return svg("svg", { class: lit ? "whisker lit" : "whisker", "aria-hidden": "true", ...size },
    rule(x(low), middle, x(high), middle, "rail"),
    reference !== null && rule(x(reference), 0, x(reference), height, "reference"),
    bounds && rule(x(bounds[0]), middle, x(bounds[1]), middle, "span"),
    svg("circle", { class: "point", cx: x(value), cy: middle, r: 3.5 }));
}
