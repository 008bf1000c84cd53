// Which point is where: the points in the cells of a grid, so that a pointer looks at few of them.

const CELLS = 120;
const side = Math.max(right - left, top_ - bottom) / CELLS || 1;
const column = (x) => Math.max(0, Math.min(CELLS, Math.floor((x - left) / side)));
const row = (y) => Math.max(0, Math.min(CELLS, Math.floor((y - bottom) / side)));
const grid = new Map();
for (let point = 0; point < size; point += 1) {
  const cell = row(map.y[point]) * (CELLS + 1) + column(map.x[point]);
  if (!grid.has(cell)) grid.set(cell, []);
  grid.get(cell).push(point);
}

// All points in a rectangle of the map, and some around it.
function* within(x1, y1, x2, y2) {
  for (let down = row(y1); down <= row(y2); down += 1)
    for (let across = column(x1); across <= column(x2); across += 1)
      yield* grid.get(down * (CELLS + 1) + across) || [];
}

// The point nearest to a pixel, at most `reach` pixels from it; null where there is none.
function pointAt(x, y, reach = 14) {
  const around = reach / camera.scale;
  const [mapX, mapY] = [toMapX(x), toMapY(y)];
  let best = null;
  let least = reach;
  for (const point of within(mapX - around, mapY - around, mapX + around, mapY + around)) {
    const distance = Math.hypot(map.x[point] - mapX, map.y[point] - mapY) * camera.scale - (isQuery(point) ? 3 : 0);
    if (distance < least) [best, least] = [point, distance];
  }
  return best;
}

// The next point to the left, right, top or bottom: near, and not far off that direction.
function next(from, dx, dy) {
  let best = null;
  let least = Infinity;
  for (let point = 0; point < size; point += 1) {
    const [x, y] = [map.x[point] - map.x[from], map.y[point] - map.y[from]];
    const ahead = x * dx + y * dy;
    const aside = Math.abs(x * dy - y * dx);
    if (point === from || ahead <= 0 || aside > 2 * ahead) continue;
    const cost = ahead + 2 * aside;
    if (cost < least) [best, least] = [point, cost];
  }
  return best;
}

function nearestToMiddle() {
  let best = 0;
  const distance = (point) => Math.hypot(map.x[point] - camera.x, map.y[point] - camera.y);
  for (let point = 1; point < size; point += 1) if (distance(point) < distance(best)) best = point;
  return best;
}
