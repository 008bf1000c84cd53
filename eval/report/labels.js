// Names beside points, placed so that they cover neither a point nor one another.

const ruler = document.createElement("canvas").getContext("2d");
ruler.font = `12px ${getComputedStyle(document.body).fontFamily}`;
const textWidth = (content) => ruler.measureText(content).width;

function shortened(name, width) {
  const letters = [...name];
  while (letters.length > 4 && textWidth(`${letters.join("")}…`) > width) letters.pop();
  return textWidth(name) <= width ? name : `${letters.join("").trimEnd()}…`;
}

const overlap = (a, b) =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
  Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

const LINE = 15;
const DIRECTIONS = [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [1, 1], [-1, -1], [-1, 1]];

// points: [{x, y, name}], the most important first; soft: areas that a name may cover if everything else is worse.
// Greedy: each name takes the place that costs least: covering names and points, leaving the box, being far away. Where
// it would still cover another name it is left out; pointing at its mark shows it.
function placeNames(points, box, soft) {
  const around = ({ x, y }) => ({ left: x - 13, right: x + 13, top: y - 10, bottom: y + 10 });
  const named = [];
  return points.map((point) => {
    const taken = [...named, ...points.filter((other) => other !== point).map(around)];
    const name = shortened(point.name, (box.right - box.left) * 0.46);
    const width = textWidth(name);
    const places = [10, 22, 36, 52, 70, 90].flatMap((distance) => DIRECTIONS.map(([dx, dy]) => {
      const left = point.x + dx * distance - (dx < 0 ? width : dx === 0 ? width / 2 : 0);
      const top = point.y + dy * (distance + 2) - LINE / 2;
      const area = { left, right: left + width, top, bottom: top + LINE };
      const covered = (areas) => sum(areas.map((other) => overlap(area, other)));
      const outside = width * LINE - overlap(area, box);
      return { area, distance, dx, cost: 3 * covered(taken) + covered(soft) + 5 * outside + 6 * (distance - 10) };
    }));
    const chosen = places.reduce((one, other) => (other.cost < one.cost ? other : one));
    if (named.some((other) => overlap(chosen.area, other) > 0)) return null;
    named.push(chosen.area);
    return { ...chosen, name };
  });
}

function nameLabels(points, box, soft = []) {
  return placeNames(points, box, soft).map((placed, place) => {
    if (!placed) return null;
    const { area, distance, dx, name } = placed;
    const { x, y } = points[place];
    const middle = (area.top + area.bottom) / 2;
    const near = dx > 0 ? area.left - 2 : dx < 0 ? area.right + 2 : (area.left + area.right) / 2;
    return [
      distance > 10 ? rule(x, y, near, dx === 0 ? (middle < y ? area.bottom : area.top) : middle, "leader") : null,
      text(area.left, area.bottom - 3.5, name, { class: "label" }),
    ];
  });
}

// Heights for labels beside the ends of lines: in the order of `wanted`, as near to it as they can be when `gap` apart
// (labels that would overlap are pooled around their mean, as in isotonic regression), within [top, bottom].
function spread(wanted, gap, top, bottom) {
  const order = wanted.map((_, place) => place).sort((a, b) => wanted[a] - wanted[b]);
  const pools = [];
  order.forEach((place, rank) => {
    let pool = { total: wanted[place] - rank * gap, size: 1 };
    while (pools.length && pools.at(-1).total / pools.at(-1).size > pool.total / pool.size) {
      const before = pools.pop();
      pool = { total: pool.total + before.total, size: pool.size + before.size };
    }
    pools.push(pool);
  });
  const starts = pools.flatMap(({ total, size }) => Array(size).fill(total / size));
  const heights = [];
  order.forEach((place, rank) => {
    const last = bottom - (order.length - 1) * gap;
    heights[place] = Math.max(top, Math.min(starts[rank], last)) + rank * gap;
  });
  return heights;
}
