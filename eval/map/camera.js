// From the map to the window and back. Both axes have one scale, so that distances compare.

const camera = { x: 0, y: 0, scale: 1, width: 0, height: 0, fit: 1 };
const MARGIN = 40;
const CLOSEST = 400;

const bounds = (values) => values.reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], [Infinity, -Infinity]);
const [left, right] = bounds(map.x);
const [bottom, top_] = bounds(map.y);

const toScreenX = (x) => (x - camera.x) * camera.scale + camera.width / 2;
const toScreenY = (y) => camera.height / 2 - (y - camera.y) * camera.scale;
const toMapX = (pixel) => (pixel - camera.width / 2) / camera.scale + camera.x;
const toMapY = (pixel) => (camera.height / 2 - pixel) / camera.scale + camera.y;
const onScreen = (point) => [toScreenX(map.x[point]), toScreenY(map.y[point])];
const closeness = () => camera.scale / camera.fit;

function fit(width, height) {
  const across = Math.max(20, width - 2 * MARGIN) / (right - left || 1);
  const up = Math.max(20, height - 2 * MARGIN) / (top_ - bottom || 1);
  return Math.min(across, up);
}

// The window has another size: the same middle, as close as before.
function resize(width, height) {
  const close = camera.width ? closeness() : 1;
  Object.assign(camera, { width, height, fit: fit(width, height) });
  camera.scale = camera.fit * close;
  if (close === 1) showAll();
}

function showAll() {
  Object.assign(camera, { x: (left + right) / 2, y: (bottom + top_) / 2, scale: camera.fit });
}

// Closer by a factor, the place under the pixel (x, y) staying where it is.
function zoom(factor, x = camera.width / 2, y = camera.height / 2) {
  const [mapX, mapY] = [toMapX(x), toMapY(y)];
  camera.scale = Math.max(camera.fit * 0.5, Math.min(camera.fit * CLOSEST, camera.scale * factor));
  camera.x += mapX - toMapX(x);
  camera.y += mapY - toMapY(y);
}

function pan(dx, dy) {
  camera.x -= dx / camera.scale;
  camera.y += dy / camera.scale;
}

// Moves the map no more than it takes to have the point well inside of the window.
function bringIn(point) {
  const [x, y] = onScreen(point);
  const [roomX, roomY] = [Math.min(90, camera.width / 4), Math.min(60, camera.height / 4)];
  pan(Math.max(0, roomX - x) - Math.max(0, x - camera.width + roomX), Math.max(0, roomY - y) - Math.max(0, y - camera.height + roomY));
}
