// A matrix between words on a canvas. A wide one is cut into bands, one below the other, or its cells get smaller.

const LEVELS = 64;
let levels = null;

// Colours from nothing to all, in the theme of the moment; those of names and lines behind them.
function colours() {
  if (levels) return levels;
  const probe = html("i", { hidden: true });
  document.body.append(probe);
  const seen = (colour) => {
    probe.style.color = colour;
    return getComputedStyle(probe).color;
  };
  levels = upTo(LEVELS).map((level) => seen(`color-mix(in oklab, var(--cell) ${(100 * level) / (LEVELS - 1)}%, var(--raised))`));
  levels.ink = seen("var(--ink)");
  levels.muted = seen("var(--muted)");
  levels.less = seen("var(--less)");
  probe.remove();
  return levels;
}

class Matrix {
  // `words` and `side` are named [rows, columns]; `value(row, column)`, `strength(value)` from -1 to 1; `said` for tips; `largest` is a cell's size.
  constructor(box, { label, words, value, strength, said, bands = false, largest = 18 }) {
    Object.assign(this, { box, words, value, strength, said, bands, largest, cursor: null });
    this.canvas = html("canvas", {
      tabindex: 0, role: "application", "aria-roledescription": "matrix", "aria-label": label,
      pointermove: (event) => this.point(this.cellAt(event.offsetX, event.offsetY)),
      pointerdown: (event) => this.point(this.cellAt(event.offsetX, event.offsetY)),
      pointerleave: () => this.point(null),
      blur: () => this.point(null),
      keydown: (event) => this.key(event),
    });
    box.replaceChildren(this.canvas);
    this.lay();
    let width = box.clientWidth;
    this.watch = new ResizeObserver(() => {
      if (box.clientWidth === width) return;
      width = box.clientWidth;
      this.lay();
    });
    this.watch.observe(box);
  }

  lay() {
    const [rows, columns] = this.words.map((words) => words.length);
    const room = this.box.clientWidth;
    const pen = this.canvas.getContext("2d");
    pen.font = FONT();
    const widest = (words) => Math.max(0, ...words.map((word) => pen.measureText(short(word)).width));
    this.left = Math.ceil(Math.min(widest(this.words[0]) + 10, room * 0.3));
    const slant = 40;
    const size = (around) => Math.max(3, Math.min(this.largest, Math.floor((room - around) / columns)));
    this.cell = this.bands ? this.largest : size(this.left + slant);
    this.named = this.cell >= 10;
    if (!this.named) [this.left, this.cell] = [0, Math.min(9, size(2))];
    this.perBand = this.bands ? Math.max(1, Math.floor((room - this.left - slant) / this.cell)) : columns;
    this.top = this.named ? Math.ceil(Math.min(90, widest(this.words[1]) * 0.78 + 14)) : 0;
    this.height = this.top + rows * this.cell + 12;
    const count = Math.ceil(columns / this.perBand);
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const [width, height] = [this.left + Math.min(columns, this.perBand) * this.cell + (this.named ? slant : 2), count * this.height];
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.ratio = ratio;
    this.draw();
  }

  // The upper left corner of a cell.
  corner(row, column) {
    const band = Math.floor(column / this.perBand);
    return [this.left + (column % this.perBand) * this.cell, band * this.height + this.top + row * this.cell];
  }

  cellAt(x, y) {
    const [rows, columns] = this.words.map((words) => words.length);
    const band = Math.floor(y / this.height);
    const row = Math.floor((y - band * this.height - this.top) / this.cell);
    const inBand = Math.floor((x - this.left) / this.cell);
    const column = band * this.perBand + inBand;
    return row >= 0 && row < rows && inBand >= 0 && inBand < this.perBand && column < columns ? [row, column] : null;
  }

  draw() {
    const pen = this.canvas.getContext("2d");
    const { cell } = this;
    const [rows, columns] = this.words;
    const palette = colours();
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.font = FONT();
    const gap = cell > 6 ? 1 : 0;
    columns.forEach((name, column) => {
      rows.forEach((_, row) => {
        const much = this.strength(this.value(row, column));
        pen.fillStyle = much < 0 ? palette.less : palette[Math.round(Math.min(1, much) * (LEVELS - 1))];
        const [x, y] = this.corner(row, column);
        pen.fillRect(x, y, cell - gap, cell - gap);
      });
      if (!this.named) return;
      const [x, y] = this.corner(0, column);
      pen.save();
      pen.translate(x + cell * 0.6, y - 5);
      pen.rotate(-Math.PI / 3.6);
      pen.fillStyle = this.cursor?.[1] === column ? palette.ink : palette.muted;
      pen.fillText(short(name), 0, 0);
      pen.restore();
    });
    if (this.named) {
      for (let column = 0; column < columns.length; column += this.perBand)
        rows.forEach((name, row) => {
          const [x, y] = this.corner(row, column);
          pen.fillStyle = this.cursor?.[0] === row ? palette.ink : palette.muted;
          pen.textAlign = "right";
          pen.fillText(short(name), x - 6, y + cell * 0.72, this.left - 6);
          pen.textAlign = "left";
        });
    }
    if (this.cursor) {
      const [x, y] = this.corner(...this.cursor);
      pen.strokeStyle = palette.ink;
      pen.lineWidth = 2;
      pen.strokeRect(x - 1, y - 1, cell + 1, cell + 1);
    }
  }

  point(cell, aloud = false) {
    if (String(cell) === String(this.cursor)) return;
    this.cursor = cell;
    this.draw();
    if (!cell) return tip.hide();
    const told = this.said(...cell);
    const [x, y] = this.corner(...cell);
    const around = this.canvas.getBoundingClientRect();
    tip.show(new DOMRect(around.left + x, around.top + y, this.cell, this.cell), [told]);
    if (aloud) announce(told);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return this.point(null);
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    const to = this.cursor ? this.cursor.map((at, axis) => at + step[axis]) : [0, 0];
    this.point(to.map((at, axis) => Math.max(0, Math.min(this.words[axis].length - 1, at))), true);
    event.preventDefault();
  }
}

const FONT = () => `12px ${getComputedStyle(document.body).fontFamily}`;
const short = (word) => (word.length > 16 ? `${word.slice(0, 15)}…` : word);
