/* Colors, numbers and texts as drawings need them. */

const MARK_COLORS = 6; // of labels in the style sheet

/** Color of a label for a style: one of the style sheet's, then as many more as there are labels. */
export function labelStyle(index) {
  return index < MARK_COLORS ? `var(--k${index + 1})` : `hsl(${Math.round(index * 137.508) % 360} 45% var(--more))`;
}

/** The same for a canvas, as it is now. */
export function labelColor(index) {
  const style = getComputedStyle(document.documentElement);
  return labelStyle(index).replace(/var\((--\w+)\)/, (_, name) => style.getPropertyValue(name).trim());
}

/** Index of the first of ascending numbers that is above a value. */
function firstAbove(numbers, value) {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] > value) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/** Black or white, whichever can be read on a color; WCAG's relative luminance. */
function inkOn(hex) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000000" : "#ffffff";
}

function fitted(context, text, width) {
  if (context.measureText(text).width <= width) {
    return text;
  }
  let length = Math.min(text.length, Math.ceil(width / 4));
  while (length > 0 && context.measureText(`${text.slice(0, length)}…`).width > width) {
    length -= 1;
  }
  return length > 0 ? `${text.slice(0, length)}…` : "";
}

function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least * 0.999) ?? 10 * power;
}

/** Seconds as people write them: 12.5 s, or 3:07 from two minutes on. */
export function timeText(seconds, step = 0.01) {
  const digits = Math.max(0, Math.min(4, -Math.floor(Math.log10(step) + 1e-9)));
  if (seconds < 120) {
    return `${seconds.toFixed(digits)} s`;
  }
  const scale = 10 ** digits;
  const whole = Math.round(seconds * scale);
  const minutes = Math.floor(whole / (60 * scale));
  const rest = ((whole - minutes * 60 * scale) / scale).toFixed(digits);
  const padded = rest.padStart(digits ? digits + 3 : 2, "0");
  return minutes < 60 ? `${minutes}:${padded}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${padded}`;
}

function short(value) {
  return String(Number(value.toPrecision(3)));
}
