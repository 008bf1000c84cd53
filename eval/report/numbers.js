// Numbers as people read them; a dash where there is none.

const MISSING = "–";
const isMissing = (value) => value === null || value === undefined;

function decimals(value, digits = 3) {
  if (isMissing(value)) return MISSING;
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

function signed(value, digits = 3) {
  const text = decimals(value, digits);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

const whole = (value) => (isMissing(value) ? MISSING : Math.round(value).toLocaleString("en-US"));
const percent = (value) => (isMissing(value) ? MISSING : `${(100 * value).toFixed(0)} %`);
const probability = (value) => (!isMissing(value) && value < 0.001 ? "< 0.001" : decimals(value));
const range = (bounds) => (bounds ? `${decimals(bounds[0])} to ${decimals(bounds[1])}` : "");

// Three significant digits without an exponent.
function brief(value) {
  if (isMissing(value)) return MISSING;
  const size = Math.abs(Number(value.toPrecision(3)));
  if (size === 0) return "0";
  return size >= 100 ? whole(value) : decimals(value, Math.min(8, 2 - Math.floor(Math.log10(size))));
}

// The same without zeros at the end: for the ticks of an axis.
const tidy = (value) => (brief(value).includes(".") ? brief(value).replace(/\.?0+$/, "") : brief(value));

function duration(seconds, format = brief) {
  if (isMissing(seconds)) return MISSING;
  if (seconds >= 5400) return `${format(seconds / 3600)} h`;
  if (seconds >= 90) return `${format(seconds / 60)} min`;
  return seconds >= 1 || seconds === 0 ? `${format(seconds)} s` : `${format(1000 * seconds)} ms`;
}

const milliseconds = (value, format = brief) => duration(isMissing(value) ? null : value / 1000, format);

function bytes(value, format = brief) {
  if (isMissing(value)) return MISSING;
  for (const [factor, unit] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (value >= factor) return `${format(value / factor)} ${unit}`;
  }
  return `${whole(value)} B`;
}

const count = (number, one, many = `${one}s`) => `${whole(number)} ${number === 1 ? one : many}`;
