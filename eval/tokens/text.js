// Running text whose words can be pointed at, pressed, and gone through by arrow keys; its tab stop is one word.

class RunningText {
  // `said(place)` is what the tip of a word tells, `over(place)` and `press(place)` are called for words, null: none.
  constructor(side, label, { said, over = () => {}, press = () => {}, most = Infinity, small = false }) {
    this.side = side;
    this.nodes = new Map();
    const parts = side.segments.filter(([, place]) => place < most).map(([text, place]) => {
      if (place < 0) return document.createTextNode(text);
      const node = html("span", {
        class: side.special.has(place) ? "word special" : "word", role: "button", tabindex: -1, "aria-pressed": "false",
      }, text);
      const show = () => tip.show(node.getBoundingClientRect(), said(place));
      furnish(node, {
        pointerenter: () => { show(); over(place); },
        pointerleave: () => { tip.hide(); over(null); },
        focus: () => { this.stop(place); show(); over(place); },
        blur: () => { tip.hide(); over(null); },
        click: () => press(place),
        keydown: (event) => this.key(event, place, press),
      }, []);
      this.nodes.set(place, node);
      return node;
    });
    this.box = html("div", { class: `running${small ? " small" : ""}`, dir: "auto", role: "group", "aria-label": label }, parts);
    this.places = [...this.nodes.keys()];
    if (this.places.length) this.stop(side.plain.find((place) => this.nodes.has(place)) ?? this.places[0]);
  }

  // The word that Tab comes to.
  stop(place) {
    if (this.at !== undefined) this.nodes.get(this.at).tabIndex = -1;
    this.at = place;
    this.nodes.get(place).tabIndex = 0;
  }

  key(event, place, press) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = this.places.indexOf(place);
    const last = this.places.length - 1;
    const to = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1, Home: 0, End: last }[event.key];
    if (to !== undefined) this.nodes.get(this.places[Math.max(0, Math.min(last, to))]).focus();
    else if (event.key === "Enter" || event.key === " ") press(place);
    else return;
    event.preventDefault();
  }

  // Shade every word by `strength(place)`, -1 to 1; `marked` are underlined, `pressed` is outlined; `name` for readers.
  shade(strength, { marked = [], pressed = null, name = () => null } = {}) {
    const underlined = new Set(marked);
    for (const [place, node] of this.nodes) {
      const much = strength(place);
      node.classList.toggle("up", much > 0);
      node.classList.toggle("down", much < 0);
      node.style.setProperty("--strength", `${Math.round(100 * Math.abs(much))}%`);
      node.classList.toggle("best", underlined.has(place));
      node.setAttribute("aria-pressed", String(place === pressed));
      const told = name(place);
      if (told) node.setAttribute("aria-label", told);
      else node.removeAttribute("aria-label");
    }
  }
}
