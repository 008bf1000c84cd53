// The picture: axes, marks, lines to what is really near, names. Drawn anew for every frame that changes.

const canvas = byId("map");
let waiting = false;

function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw(canvas.getContext("2d"));
  });
}

// Marks grow as the map comes closer, so that they can be told apart.
function radius() {
  const usual = size > 8000 ? 2.4 : size > 1500 ? 3.2 : size > 300 ? 4 : 5;
  return Math.round(2 * Math.min(7, usual * Math.min(2, closeness() ** 0.3))) / 2;
}

const faded = (point) =>
  (state.group !== null && groupOf(point) !== state.group && !isQuery(point)) ||
  (state.words !== "" && !matches.has(point));

function draw(pen) {
  const { width, height } = camera;
  const dense = devicePixelRatio;
  if (!width || !height) return;
  if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense))
    Object.assign(canvas, { width: Math.round(width * dense), height: Math.round(height * dense) });
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  pen.fillStyle = colour("--paper");
  pen.fillRect(0, 0, width, height);
  drawAxes(pen);
  const r = radius();
  drawMarks(pen, r);
  const focus = state.chosen ?? state.over;
  if (focus !== null) drawTies(pen, focus, r);
  drawLabels(pen, focus, r);
  nameAxes(pen);
}

// Through the mean of all vectors, where the method knows of one.
function drawAxes(pen) {
  if (!map.origin) return;
  const { width, height } = camera;
  pen.strokeStyle = colour("--hair");
  pen.lineWidth = 1;
  pen.beginPath();
  const [x, y] = [Math.round(toScreenX(0)) + 0.5, Math.round(toScreenY(0)) + 0.5];
  pen.moveTo(x, 0); pen.lineTo(x, height);
  pen.moveTo(0, y); pen.lineTo(width, y);
  pen.stroke();
}

function nameAxes(pen) {
  const { width, height } = camera;
  pen.font = font(false);
  pen.textAlign = "right";
  write(pen, `${map.axes[0]} →`, width - 8, height - 8, "--muted");
  pen.textAlign = "left";
  write(pen, `↑ ${map.axes[1]}`, 8, 18, "--muted");
}

// Where there are many marks, they are copied from a layer while the map moves, and drawn anew when it rests.
const BUSY = 4000;
const layer = { picture: document.createElement("canvas"), look: null };
let resting = null;

function move() {
  clearTimeout(resting);
  resting = setTimeout(() => {
    resting = null;
    redraw();
  }, 120);
}

function drawMarks(pen, r) {
  const { width, height, x, y, scale } = camera;
  const look = `${width} ${height} ${devicePixelRatio} ${colour("--paper")} ${state.group} ${state.words}`;
  if (size <= BUSY) {
    putMarks(pen, r);
  } else {
    if (resting === null || layer.look !== look) {
      Object.assign(layer.picture, { width: width * devicePixelRatio, height: height * devicePixelRatio });
      const layered = layer.picture.getContext("2d");
      layered.scale(devicePixelRatio, devicePixelRatio);
      putMarks(layered, r);
      Object.assign(layer, { look, x, y, scale });
    }
    const grown = scale / layer.scale;
    pen.drawImage(layer.picture, toScreenX(layer.x) - (grown * width) / 2, toScreenY(layer.y) - (grown * height) / 2,
      grown * width, grown * height);
  }
}

function putMarks(pen, r) {
  const around = 12 / camera.scale;
  const late = [];
  const put = (point) => {
    const { picture, half } = stamp(groupOf(point), r);
    const [x, y] = onScreen(point);
    pen.drawImage(picture, x - half, y - half, 2 * half, 2 * half);
  };
  const singled = state.group !== null || state.words !== "";
  pen.globalAlpha = singled ? 0.14 : 1;
  for (const point of within(toMapX(0) - around, toMapY(camera.height) - around, toMapX(camera.width) + around, toMapY(0) + around)) {
    if (isQuery(point) || (singled && !faded(point))) late.push(point);
    else put(point);
  }
  pen.globalAlpha = 1;
  late.forEach(put);
}

function drawTies(pen, focus, r) {
  const [x, y] = onScreen(focus);
  pen.strokeStyle = colour("--ink");
  pen.lineWidth = 1;
  pen.globalAlpha = state.chosen === null ? 0.35 : 0.6;
  pen.beginPath();
  for (const other of map.near[focus]) {
    pen.moveTo(x, y);
    pen.lineTo(...onScreen(other));
  }
  pen.stroke();
  pen.globalAlpha = 1;
  for (const point of [...map.near[focus], focus]) {
    const { picture, half } = stamp(groupOf(point), r);
    const [pointX, pointY] = onScreen(point);
    pen.drawImage(picture, pointX - half, pointY - half, 2 * half, 2 * half);
  }
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(x, y, (isQuery(focus) ? 1.8 * r : r) + 4, 0, 2 * Math.PI);
  pen.stroke();
}

const queriesFirst = [...Array(map.queries).keys()].map((place) => points + place);
const inOrder = [...map.asked, ...[...Array(points).keys()].filter((point) => !asked.has(point))];

// Words are all named as far as there is room; passages only where somebody asked for them.
function drawLabels(pen, focus, r) {
  const first = focus === null ? [] : [focus, ...map.near[focus]];
  const rest = ofWords ? inOrder.filter((point) => !faded(point)) : [...matches].slice(0, 40);
  const order = [...new Set([...first, ...queriesFirst, ...rest])];
  const bold = new Set([...first, ...queriesFirst, ...map.asked]);
  pen.textAlign = "left";
  for (const { point, name, x, y } of placeLabels(pen, order, first.length && 1, bold, r)) {
    pen.font = font(bold.has(point));
    write(pen, name, x, y, bold.has(point) || !ofWords ? "--ink" : "--muted");
  }
}

function write(pen, text, x, y, name) {
  pen.lineJoin = "round";
  pen.lineWidth = 3;
  pen.strokeStyle = colour("--paper");
  pen.strokeText(text, x, y);
  pen.fillStyle = colour(name);
  pen.fillText(text, x, y);
}
