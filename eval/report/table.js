// Tables that sort by any column, with the mouse or the keyboard.

// columns: [{key, label, value(row), cell(row), ascending, kind, title}]; `value` sorts (null comes last either way),
// `cell` shows. The first column names the row. error(row) is the text of a row that has no values.
function sortableTable({ caption, columns, rows, order, error = () => null, name = null }) {
  const body = html("tbody");
  const heads = new Map(columns.map((column) => [column.key, head(column)]));
  const lines = new Map(rows.map((row) => [row, line(row, columns, error(row))]));

  function head({ key, label, ascending, kind = "number", title }) {
    const press = () => {
      const now = heads.get(key).getAttribute("aria-sort");
      const descending = now === "none" ? !ascending : now === "ascending";
      sort(key, descending);
      announce(`Sorted by ${button.textContent}, ${descending ? "largest first" : "smallest first"}`);
    };
    const button = html("button", { type: "button", click: press }, label);
    return html("th", { scope: "col", class: kind, title }, button);
  }

  function sort(key, descending) {
    const { value } = columns.find((column) => column.key === key);
    const values = new Map(rows.map((row) => [row, error(row) ? null : value(row)]));
    const direction = descending ? -1 : 1;
    const sorted = [...rows].sort((a, b) => {
      const [first, second] = [values.get(a), values.get(b)];
      if (isMissing(first) || isMissing(second)) return isMissing(first) - isMissing(second);
      const byText = typeof first === "string";
      return direction * (byText ? first.localeCompare(second, "en", { numeric: true }) : first - second);
    });
    body.replaceChildren(...sorted.map((row) => lines.get(row)));
    for (const [other, cell] of heads)
      cell.setAttribute("aria-sort", other !== key ? "none" : descending ? "descending" : "ascending");
  }

  sort(order.key, order.descending);
  return framed(caption, name, html("tr", {}, [...heads.values()]), body);
}

function line(row, [first, ...others], failure) {
  const name = html("th", { scope: "row", class: first.kind }, first.cell(row));
  if (failure) {
    const told = html("td", { colspan: others.length }, html("b", {}, "Failed: "), foreign(failure));
    return html("tr", { class: "failed" }, name, told);
  }
  const cells = others.map((column) => html("td", { class: column.kind || "number" }, column.cell(row)));
  return html("tr", { class: row.marked ? "marked" : null }, name, cells);
}

// A plain table, for the numbers of a plot; the first cell of a row names it.
function plainTable(caption, heads, rows) {
  const lines = rows.map(([first, ...others]) => html("tr", {}, html("th", { scope: "row" }, first),
    others.map((cell) => html("td", { class: "number" }, cell))));
  const head = html("tr", {}, heads.map((name) => html("th", { scope: "col" }, name)));
  return framed(caption, null, head, html("tbody", {}, lines));
}

// What is wider than the page scrolls by itself, also with the keyboard.
const framed = (caption, name, head, body) =>
  html("div", { class: "scrolling", role: "region", "aria-label": caption, tabindex: "0" },
    html("table", { class: name }, html("caption", {}, caption), html("thead", {}, head), body));
