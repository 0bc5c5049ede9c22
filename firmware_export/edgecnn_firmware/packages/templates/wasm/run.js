/* Samples to results, in slices of time; and how long a window takes. */

const RUN_SLICE_MS = 12;
const RUN_BATCH_MS = 4;
const RUN_BATCHES = 21;
const RUN_MOST_BATCH = 1 << 14;
// One class alone differs from all of the training data; beyond these it is more than that.
const RUN_SHIFT = 3; // standard deviations
const RUN_WIDE = 3;
const RUN_FLAT = 0.01;
const RUN_FLAT_WINDOWS = 10;
const RUN_CLIPPED = 0.02;

/** Let the page draw and answer. */
export function pause() {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** The int8 outputs of every window, side by side: there may be a million. */
class Outputs {
  #bytes = new Int8Array(1024);
  #each = 0;
  #count = 0;

  push(outputs) {
    this.#each = outputs.length;
    const start = this.#each * this.#count++;
    if (start + this.#each > this.#bytes.length) {
      const larger = new Int8Array(2 * (start + this.#each));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(outputs, start);
  }

  at(window) {
    return this.#bytes.subarray(window * this.#each, (window + 1) * this.#each);
  }
}

/**
 * Push every sample; the results as columns.
 *
 * progress(share) is called between slices; where it says false, the results so far are kept.
 */
export async function classifyAll(classifier, table, isCounts, progress) {
  const { values, samples } = table;
  const count = classifier.channels.length;
  const push = isCounts ? (sample) => classifier.pushCounts(sample) : (sample) => classifier.push(sample);
  const found = { starts: [], ends: [], shown: [], labels: [], settled: [], changed: [], outputs: new Outputs(), wasStopped: false };
  let last = performance.now();
  classifier.reset();
  for (let i = 0, first = 0; i < samples; ++i) {
    const sample = values.subarray(i * count, (i + 1) * count);
    const result = push(sample);
    if (result !== null) {
      const start = i + 1 - classifier.window;
      found.starts.push(start);
      found.ends.push(i + 1);
      // The newest samples of a window are shown in its color, those before it in the color of the window before.
      found.shown.push(Math.max(start, first));
      first = i + 1;
      found.labels.push(result.windowIndex);
      found.settled.push(result.index);
      found.changed.push(result.changed);
      found.outputs.push(result.outputs);
    }
    if ((result !== null || i % 4096 === 0) && performance.now() - last > RUN_SLICE_MS) {
      if ((await progress((i + 1) / samples)) === false) {
        found.wasStopped = true;
        break;
      }
      last = performance.now();
    }
  }
  found.drift = classifier.monitor();
  return found;
}

/**
 * Time of one window in this browser: {medianUs, batches, windows}; browsers' clocks are coarse, so windows go in batches.
 *
 * Of a window that slides it is the time of one hop: that is what a result takes.
 */
export async function timeWindows(classifier, window, isSliding) {
  const batchMs = isSliding ? pushMs : classifyMs;
  let windows = 1;
  while (windows < RUN_MOST_BATCH && batchMs(classifier, window, windows) < RUN_BATCH_MS) {
    windows *= 2;
  }
  const times = [];
  for (let i = 0; i < RUN_BATCHES; ++i) {
    times.push((batchMs(classifier, window, windows) / windows) * 1000);
    await pause();
  }
  times.sort((a, b) => a - b);
  return { medianUs: times[times.length >> 1], batches: RUN_BATCHES, windows };
}

function classifyMs(classifier, window, windows) {
  const start = performance.now();
  for (let i = 0; i < windows; ++i) {
    classifier.classify(window);
  }
  return performance.now() - start;
}

function pushMs(classifier, window, windows) {
  const count = classifier.channels.length;
  const samples = Array.from({ length: classifier.window }, (_, i) => window.subarray(i * count, (i + 1) * count));
  const start = performance.now();
  for (let i = 0; i < windows * classifier.hop; ++i) {
    classifier.push(samples[i % samples.length]);
  }
  return performance.now() - start;
}

/** Probability of a label in a window's int8 outputs. */
export function probability(outputs, label, { isSigmoid, outputScale, outputZeroPoint }) {
  const of = (value) => Math.min(1, Math.max(0, (value - outputZeroPoint) * outputScale));
  if (isSigmoid) {
    return label === 1 ? of(outputs[0]) : 1 - of(outputs[0]);
  }
  return of(outputs[label]);
}

/** What the input monitor finds odd: [{channel, texts}]; none without statistics. */
export function driftWarnings(drift, window) {
  const found = [];
  for (const { channel, samples, meanShift, spread, clipped } of drift ?? []) {
    const texts = [];
    if (Math.abs(meanShift) > RUN_SHIFT) {
      const side = meanShift > 0 ? "above" : "below";
      texts.push(`the mean is ${Math.abs(meanShift).toFixed(1)} standard deviations ${side} the training data's`);
    }
    if (spread > RUN_WIDE) {
      texts.push(`it varies ${spread.toFixed(1)} times as much`);
    } else if (spread < RUN_FLAT && samples >= RUN_FLAT_WINDOWS * window) {
      texts.push("it is flat");
    }
    if (clipped > RUN_CLIPPED) {
      texts.push(`${(100 * clipped).toFixed(1)} % of its samples are beyond the model's range`);
    }
    if (texts.length > 0) {
      found.push({ channel, texts });
    }
  }
  return found;
}

/** Results as CSV text. */
export function resultsCsv(found, classifier, model) {
  const rate = classifier.sampleRate;
  const times = rate ? ["start_s", "end_s"] : [];
  const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const header = ["window", "first_sample", "samples", ...times, "label", "confidence", "settled_label"];
  const lines = [[...header, ...classifier.labels.map((label) => cell(`p ${label}`))].join(",")];
  found.ends.forEach((end, i) => {
    const start = found.starts[i];
    const probabilities = classifier.labels.map((_, label) => probability(found.outputs.at(i), label, model).toFixed(5));
    lines.push(
      [
        ...[i + 1, start + 1, end - start],
        ...(rate ? [start / rate, end / rate].map((seconds) => seconds.toFixed(4)) : []),
        cell(classifier.labels[found.labels[i]]),
        probabilities[found.labels[i]],
        found.settled[i] < 0 ? "" : cell(classifier.labels[found.settled[i]]),
        ...probabilities,
      ].join(","),
    );
  });
  return `${lines.join("\r\n")}\r\n`;
}
