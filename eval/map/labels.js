// Names beside points, the most important first; one that would cover another is left out until the map is closer.

const LINE = 15;
const MANY = 220;
const LOOKED_AT = 4000;
const CROWDED = 3000; // points in the window among which no name finds a place that covers none
const family = getComputedStyle(document.body).fontFamily;
const measured = new Map();

function measure(pen, name) {
  const key = `${pen.font} ${name}`;
  if (!measured.has(key)) measured.set(key, pen.measureText(name).width);
  return measured.get(key);
}

// On the map a heading stands without those above it.
const short = (point) => {
  const letters = [...(isQuery(point) ? headline(point) : headline(point).split(" > ").at(-1))];
  const most = isQuery(point) ? 60 : 36;
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : letters.join("");
};

const font = (bold) => `${bold ? "600 " : ""}12px ${family}`;

// Rectangles that are taken, by the cells of a grid that they reach into.
class Taken {
  constructor() {
    this.cells = new Map();
  }

  *around({ x1, y1, x2, y2 }) {
    for (let down = Math.floor(y1 / 32); down <= Math.floor(y2 / 32); down += 1)
      for (let across = Math.floor(x1 / 64); across <= Math.floor(x2 / 64); across += 1) yield `${across} ${down}`;
  }

  covers(area) {
    for (const cell of this.around(area))
      for (const other of this.cells.get(cell) || [])
        if (area.x1 < other.x2 && other.x1 < area.x2 && area.y1 < other.y2 && other.y1 < area.y2) return true;
    return false;
  }

  add(area) {
    for (const cell of this.around(area)) {
      if (!this.cells.has(cell)) this.cells.set(cell, []);
      this.cells.get(cell).push(area);
    }
  }
}

// How many marks lie in a rectangle of the window.
function covered({ x1, y1, x2, y2 }) {
  let many = 0;
  for (const point of within(toMapX(x1), toMapY(y2), toMapX(x2), toMapY(y1))) {
    const [x, y] = onScreen(point);
    if (x > x1 - 4 && x < x2 + 4 && y > y1 - 2 && y < y2 + 2) many += 1;
  }
  return many;
}

// order: points, the most important first, the first `must` of which are named whatever they cover; bold: which are.
function placeLabels(pen, order, must, bold, r) {
  const taken = new Taken();
  const placed = [];
  const crowded = size / Math.max(1, closeness()) ** 2 > CROWDED;
  let looked = 0;
  for (const [place, point] of order.entries()) {
    if (placed.length >= MANY || looked >= LOOKED_AT) break;
    const [x, y] = onScreen(point);
    if (x < 0 || y < 0 || x > camera.width || y > camera.height) continue;
    looked += 1;
    const name = short(point);
    pen.font = font(bold.has(point));
    const width = measure(pen, name);
    const reach = (isQuery(point) ? 1.8 * r : r) + 4;
    const places = [[x + reach, y - LINE / 2], [x - reach - width, y - LINE / 2], [x - width / 2, y - reach - LINE], [x - width / 2, y + reach]];
    const areas = places.map(([x1, y1]) => ({ x1, y1, x2: x1 + width, y2: y1 + LINE }))
      .filter(({ x1, x2, y1, y2 }) => x1 >= 2 && x2 <= camera.width - 2 && y1 >= 0 && y2 <= camera.height);
    const free = areas.filter((area) => !taken.covers(area));
    if (!free.length && place < must) free.push(...areas.slice(0, 1));
    if (!free.length) continue;
    const costs = free.map((area) => (crowded ? 0 : covered(area)));
    const best = free[costs.indexOf(Math.min(...costs))];
    taken.add(best);
    placed.push({ point, name, x: best.x1, y: best.y1 + LINE - 3.5 });
  }
  return placed;
}
