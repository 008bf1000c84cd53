// How a group looks: a colour and a shape, so that it never hangs on colour alone.

const COLOURS = 6;
const SHAPES = ["circle", "square", "triangle", "diamond", "wedge", "cross"];
const REST = ["(other)", "(none)"];

const isRest = (group) => REST.includes(groups.names[group]);
function ink(group) {
  if (group < 0) return "--query";
  if (isRest(group)) return "--none";
  return groups.ordered ? `--ramp-${group % COLOURS}` : `--system-${group % COLOURS}`;
}
function shape(group) {
  if (group < 0) return "star";
  if (isRest(group)) return "circle";
  return SHAPES[(group + Math.floor(group / COLOURS)) % SHAPES.length];
}

const polygon = (corners) => (r) => `M${corners.map(([x, y]) => `${(x * r).toFixed(2)} ${(y * r).toFixed(2)}`).join("L")}Z`;
const star = [...Array(10).keys()].map((corner) => {
  const [angle, reach] = [(corner * Math.PI) / 5, corner % 2 ? 0.75 : 1.8];
  return [Math.sin(angle) * reach, -Math.cos(angle) * reach];
});
const OUTLINES = {
  circle: (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`,
  square: polygon([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
  triangle: polygon([[0, -1.2], [1.15, 0.85], [-1.15, 0.85]]),
  diamond: polygon([[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]]),
  wedge: polygon([[0, 1.2], [1.15, -0.85], [-1.15, -0.85]]),
  cross: polygon([[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2],
    [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]]),
  star: polygon(star),
};

const swatch = (group) => {
  const picture = svg("svg", { class: "swatch", viewBox: "-8 -8 16 16", "aria-hidden": "true" },
    svg("path", { d: OUTLINES[shape(group)](group < 0 ? 4 : 5) }));
  picture.style.fill = `var(${ink(group)})`;
  return picture;
};

// Canvas takes no custom properties: what the style makes of them is asked for once for each theme.
const inks = new Map();
const probe = html("span", { hidden: true });
document.body.append(probe);
function colour(name) {
  if (!inks.has(name)) {
    probe.style.color = `var(${name})`;
    inks.set(name, getComputedStyle(probe).color);
  }
  return inks.get(name);
}

// A mark drawn once and then copied, as twenty thousand outlines take too long for each frame.
const stamps = new Map();
function stamp(group, r) {
  const key = `${group} ${r} ${devicePixelRatio} ${colour("--paper")}`;
  if (!stamps.has(key)) {
    const half = Math.ceil(1.9 * r + 2);
    const picture = document.createElement("canvas");
    picture.width = picture.height = 2 * half * devicePixelRatio;
    const pen = picture.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    pen.translate(half, half);
    const outline = new Path2D(OUTLINES[shape(group)](r));
    pen.lineWidth = 1.2;
    pen.strokeStyle = colour("--paper");
    pen.fillStyle = colour(ink(group));
    pen.stroke(outline);
    pen.fill(outline);
    stamps.set(key, { picture, half });
  }
  return stamps.get(key);
}
