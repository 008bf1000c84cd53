// From values to pixels.

// A function from [low, high] to [from, to] that knows its own ticks; by logarithm where asked.
function scale(low, high, from, to, logarithmic = false) {
  const bend = logarithmic ? Math.log10 : (value) => value;
  const span = bend(high) - bend(low) || 1;
  const place = (value) => from + ((to - from) * (bend(value) - bend(low))) / span;
  place.invert = (pixel) => {
    const bent = bend(low) + (span * (pixel - from)) / (to - from);
    return logarithmic ? 10 ** bent : bent;
  };
  place.ticks = (most) => (logarithmic ? decades(low, high, most) : steps(low, high, most));
  return place;
}

// A scale over values of a cost: by logarithm where they span more than a decade, with air on both sides.
function costScale(values, from, to) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (low > 0 && high / low > 10) {
    const air = (high / low) ** 0.08;
    return scale(low / air, high * air, from, to, true);
  }
  const air = (high - low || high || 1) * 0.08;
  return scale(Math.max(0, low - air), high + air, from, to);
}

// Round numbers, 1, 2, 2.5 or 5 times a power of ten apart, at most about `most` of them.
function steps(low, high, most) {
  const rough = (high - low || 1) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const found = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9; place += 1)
    found.push(Number((place * step).toPrecision(12)));
  return found;
}

// Powers of ten, with 2 and 5 (or 3) times them where there is room; where there is little, not every power.
function decades(low, high, most) {
  const within = (factors) => {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1)
      for (const factor of factors) {
        const value = Number((factor * 10 ** power).toPrecision(12));
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    return found;
  };
  const tries = [[1, 2, 5], [1, 3], [1]].map(within).filter((ticks) => ticks.length > 1);
  const powers = tries.at(-1) || [];
  const every = Math.ceil(powers.length / most);
  return tries.find((ticks) => ticks.length <= most) || powers.filter((_, place) => place % every === 0);
}
