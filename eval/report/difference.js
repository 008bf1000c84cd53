// The difference between two systems on every query as sorted bars, and a cursor that goes over them.

let moveCursor = () => {};

// The bars are one slider: arrow keys and the pointer move along them, Enter and a click open the query.
function differencePlot(rows) {
  const { queries } = details(view().dataset);
  const names = [state.a, state.b].map((system) => systems[system].name);
  const wins = rows.filter((row) => row.difference > 0).length;
  const losses = rows.filter((row) => row.difference < 0).length;
  const counts = { wins, losses, ties: rows.length - wins - losses };
  const span = { left: 44, right: 44 };
  let here = openPlace();

  const cursor = html("div", { class: "cursor" });
  const slider = html("div", { class: "slider", role: "slider", tabindex: "0",
    "aria-label": "Queries by difference; Enter opens one", "aria-valuemin": 1, "aria-valuemax": rows.length,
    pointermove: (event) => point(under(event)),
    pointerleave: () => { tip.hide(); move(openPlace()); },
    click: (event) => open(under(event)),
    focus: () => slider.matches(":focus-visible") && point(here),
    blur: tip.hide,
    keydown: press }, cursor);

  const within = (place) => Math.max(0, Math.min(rows.length - 1, place));
  const step = () => (span.right - span.left) / rows.length;
  const from = () => slider.getBoundingClientRect().left + span.left;
  const under = (event) => within(Math.floor((event.clientX - from()) / step()));

  function move(place) {
    const { query, a, b, difference } = rows[place];
    here = place;
    Object.assign(cursor.style, { left: `${span.left + place * step()}px`, width: `${Math.max(1, step())}px` });
    slider.setAttribute("aria-valuenow", place + 1);
    slider.setAttribute("aria-valuetext", `${place + 1} of ${rows.length}: ${signed(difference)}, `
      + `${isolated(queries.text[query])}: ${isolated(names[0])} ${decimals(a)}, ${isolated(names[1])} ${decimals(b)}`);
  }
  function point(place) {
    move(place);
    const { query, a, b, difference } = rows[place];
    tip.show(cursor.getBoundingClientRect(), [html("b", {}, foreign(queries.text[query])), html("br"),
      foreign(names[0]), ` ${decimals(a)}`, html("br"), foreign(names[1]), ` ${decimals(b)}`, html("br"),
      `difference ${signed(difference)}`]);
  }
  function open(place) {
    move(place);
    change({ query: rows[place].query });
  }
  function press(event) {
    const page = Math.max(2, Math.round(rows.length / 10));
    const jumps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: page, PageDown: -page,
      Home: -rows.length, End: rows.length };
    if (event.key in jumps) point(within(here + jumps[event.key]));
    else if (event.key === "Enter" || event.key === " ") open(here);
    else return;
    event.preventDefault();
  }

  moveCursor = move;
  return figure({
    kind: "difference",
    title: `Difference in ${state.measure}, query by query`,
    description: `Bars for ${count(rows.length, "query", "queries")}: the first system is better on ${wins}, `
      + `the same on ${counts.ties}, worse on ${losses}.`,
    over: slider,
    draw: (width) => {
      span.right = width - 8;
      move(here);
      return drawDifferences(width, rows, span, counts, names);
    },
  });
}

function drawDifferences(width, rows, { left, right }, { wins, losses, ties }, names) {
  const height = 280;
  const box = { left, right, top: 40, bottom: height - 34 };
  const reach = Math.max(...rows.map((row) => Math.abs(row.difference))) || 1;
  const y = scale(-reach, reach, box.bottom, box.top);
  const step = (right - left) / rows.length;
  const size = { width: Math.max(0.4, step > 3 ? step - 1 : step).toFixed(2) };
  const bar = ({ query, difference }, place) => difference !== 0 && svg("rect", {
    class: difference > 0 ? "bar-a" : "bar-b", "data-query": query, x: (left + place * step).toFixed(2), ...size,
    y: Math.min(y(0), y(difference)).toFixed(2), height: Math.abs(y(difference) - y(0)).toFixed(2) });
  const [above, below] = [`▲ better on ${wins}: ${names[0]}`, `▼ better on ${losses}: ${names[1]}`];
  const same = `the same on ${ties}`;
  return {
    height,
    shapes: [
      axes(box, scale(0, 1, left, right), y, { xTicks: [], yFormat: signed }),
      rows.map(bar),
      rule(left, y(0), right, y(0), "base"),
      text(left, 16, shortened(above, right - left - 20), { class: "side in-a" }),
      text(right, height - 8, shortened(below, right - left - textWidth(same) - 50),
        { class: "side in-b", "text-anchor": "end" }),
      text(left, height - 8, same, { class: "side" }),
    ],
  };
}
