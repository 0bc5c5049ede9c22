/* The page: files in, drawings and tables out. All text goes in as text, never as markup. */

const PAGE_ROWS = 25;
const PAGE_NAMES = 8;

const model = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);

/** What is shown: the table that was read and what became of it. */
const state = { classifier: null, clock: null, found: null, rows: [], firstRow: 0, picked: -1, job: 0, isStopped: false, name: "" };
const plot = new Plot(at("plot"), showPicked);

/** An element with a class, and in it texts and elements. */
function element(tag, style, ...content) {
  const made = document.createElement(tag);
  if (style) {
    made.className = style;
  }
  made.append(...content);
  return made;
}

function many(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** Names, as many as are read. */
function listed(names, most = PAGE_NAMES) {
  const more = names.length - most;
  return more > 0 ? `${names.slice(0, most).join(", ")} and ${more} more` : names.join(", ");
}

/** A span of samples in seconds, or in samples where the rate is not known. */
function span(samples) {
  const rate = state.classifier.sampleRate;
  const seconds = samples / rate;
  return rate ? timeText(seconds, seconds < 10 ? 0.01 : seconds < 120 ? 0.1 : 1) : many(samples, "sample");
}

function labelName(index) {
  return index < 0 ? "none yet" : state.classifier.labels[index];
}

/** A label with its color; long names may break behind an underscore. */
function labelNode(index) {
  if (index < 0) {
    return element("span", "hint", labelName(index));
  }
  const swatch = element("span", "swatch");
  swatch.style.background = labelStyle(index);
  const node = element("span", "", swatch);
  labelName(index)
    .split(/(?<=_)/)
    .forEach((part, i) => node.append(...(i ? [element("wbr")] : []), part));
  return node;
}

async function start() {
  const bytes = Uint8Array.from(atob(model.wasm), (character) => character.charCodeAt(0));
  state.classifier = await load(bytes);
  // Timing does not disturb what came in.
  state.clock = await load(bytes);
  const isGood = state.classifier.selftest() === 0;
  const good = model.hasSelftest ? "✓ Self-test passed: byte for byte the reference kernels'" : "✓ The network's constants are whole";
  at("state").textContent = isGood ? good : "✗ The self-test failed: this browser computes something else; do not trust what follows";
  at("state").classList.add(isGood ? "good" : "bad");
  describe();
  at("file").disabled = at("example").disabled = false;
}

function describe() {
  const { labels, channels, window, hop, sampleRate, hasCounts } = state.classifier;
  at("about").textContent = model.description;
  at("about").hidden = model.description.trim() === "";
  const size = `${many(window, "sample")}${sampleRate ? ` (${span(window)})` : ""}`;
  const every = hop === window ? "one window after the other" : `a new window every ${many(hop, "sample")}${sampleRate ? ` (${span(hop)})` : ""}`;
  at("what").textContent = `Puts one of ${labels.length} labels on each window of ${size}, ${every}: ${listed(labels)}.`;
  const names = channels.map(({ name, unit }) => (unit ? `${name} in ${unit}` : name));
  const rate = sampleRate
    ? `Its rows are taken as ${sampleRate} samples a second, the model's rate; another rate gives wrong labels.`
    : "The model's sample rate is not known; the rows must come at that of its training data.";
  at("format").textContent =
    `CSV with a row for each sample and ${channels.length === 1 ? "the column" : "the columns"} ${listed(names)}. ` +
    `A header that names them may have others too; without one, columns are taken in this order. ` +
    `Parted by commas, semicolons or tabs; a column called time is left out. ${rate}`;
  at("kind").hidden = !hasCounts;
  const settling = { none: "", majority: `the majority of the last ${model.results}`, mean: `the mean of the last ${model.results}` }[model.smoothing];
  const debounce = model.debounce > 1 ? `${model.debounce} in a row that agree` : "";
  const how = [settling, debounce].filter(Boolean).join(", then ") || "each window as it comes";
  at("plotnote").textContent =
    `Settled label: ${how}. A window's color covers its newest samples, where the one before ended. ` +
    "Drag to move, Ctrl and wheel to zoom.";
}

/** One line that says what is wrong. */
function complain(text) {
  at("problem").textContent = text;
  at("problem").hidden = false;
}

/** Run one job at a time: a new one ends the one before. */
async function job(name, read) {
  const number = ++state.job;
  const isCounts = document.querySelector("input[name=kind]:checked").value === "counts";
  state.isStopped = false;
  at("problem").hidden = true;
  at("busy").hidden = false;
  const progress = (doing, from, width) => async (share) => {
    at("doing").textContent = doing;
    at("progress").value = from + width * share;
    await pause();
    if (number !== state.job) {
      throw new Superseded();
    }
    return !state.isStopped;
  };
  try {
    const reading = progress(`Reading ${name}`, 0, 0.5);
    const table = await read(isCounts, async (share) => {
      if (!(await reading(share))) {
        throw new Superseded();
      }
    });
    await classify(name, table, isCounts && !table.isUnits, progress("Classifying", 0.5, 0.5));
  } catch (error) {
    if (number === state.job && !(error instanceof Superseded)) {
      at("result").hidden = true;
      complain(`${name}: ${error.message}`);
    }
  } finally {
    if (number === state.job) {
      at("busy").hidden = true;
    }
  }
}

class Superseded extends Error {}

async function classify(name, table, isCounts, progress) {
  const { classifier } = state;
  const needed = `a window has ${classifier.window}`;
  if (table.samples < classifier.window) {
    throw new CsvError(`${many(table.samples, "sample")}; ${needed}, so expected at least as many rows`);
  }
  const found = await classifyAll(classifier, table, isCounts, progress);
  if (found.ends.length === 0) {
    throw new CsvError(found.wasStopped ? "stopped before the first window" : `no window without a missing value; ${needed} samples`);
  }
  const window = new Float32Array(model.example);
  found.time = await timeWindows(state.clock, window, model.isSliding);
  await progress(1);
  show(name, table, found);
}

function show(name, table, found) {
  const { classifier } = state;
  Object.assign(state, { found, name, picked: -1, firstRow: 0 });
  at("result").hidden = false;
  at("facts").textContent = factsText(name, table, found);
  showTiles(table, found);
  showDrift(found.drift);
  showLabels(found);
  at("changes").checked = false;
  at("fromhead").textContent = classifier.sampleRate ? "from" : "from sample";
  at("readout").textContent = readoutText(-1);
  chooseRows();
  fillChannels(classifier.channels);
  const { channels, labels, window, sampleRate } = classifier;
  plot.show({ values: table.values, samples: table.samples, channels, labels, window, rate: sampleRate, found });
  at("plot").setAttribute("aria-label", `Signal of ${listed(channels.map((one) => one.name))} over ${span(table.samples)}, with windows and labels; the tables below say the same`);
  at("result-title").focus({ preventScroll: true });
  at("result").scrollIntoView({ block: "start" });
}

function fillChannels(channels) {
  at("channelpick").hidden = channels.length <= PLOT_LANES;
  const options = [];
  for (let first = 0; first < channels.length; first += PLOT_LANES) {
    const option = element("option", "", `${first + 1} to ${Math.min(channels.length, first + PLOT_LANES)} of ${channels.length}`);
    option.value = String(first);
    options.push(option);
  }
  at("channels").replaceChildren(...options);
}

function download() {
  const blob = new Blob([resultsCsv(state.found, state.classifier, model)], { type: "text/csv" });
  const link = element("a", "");
  link.href = URL.createObjectURL(blob);
  const stem = state.name.replace(/\.\w{1,8}$/, "").replace(/[^\p{L}\p{N}._-]+/gu, "_");
  link.download = `${stem}_${state.classifier.name}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function openFile(file) {
  if (!file || !state.classifier) {
    return;
  }
  job(shown(file.name), (isCounts, progress) => readCsv(file, state.classifier.channels, isCounts, progress));
}

function openExample() {
  const values = new Float32Array(model.example);
  const table = { values, samples: state.classifier.window, expected: model.exampleLabel, isUnits: true };
  job("Test window", async () => table);
}

function listen() {
  const click = (id, action) => at(id).addEventListener("click", action);
  at("file").addEventListener("change", () => {
    openFile(at("file").files[0]);
    // The same file again is a change too.
    at("file").value = "";
  });
  click("example", openExample);
  click("stop", () => (state.isStopped = true));
  click("back", () => plot.pan(-0.5));
  click("forth", () => plot.pan(0.5));
  click("in", () => plot.zoom(0.5));
  click("out", () => plot.zoom(2));
  click("all", () => plot.all());
  click("download", download);
  click("previous", () => turn(-PAGE_ROWS));
  click("next", () => turn(PAGE_ROWS));
  at("changes").addEventListener("change", chooseRows);
  at("channels").addEventListener("change", () => plot.showChannels(Number(at("channels").value)));
  for (const event of ["dragenter", "dragover"]) {
    document.addEventListener(event, (drag) => {
      drag.preventDefault();
      at("drop").classList.add("over");
    });
  }
  document.addEventListener("dragleave", (drag) => at("drop").classList.toggle("over", drag.relatedTarget !== null));
  document.addEventListener("drop", (drag) => {
    drag.preventDefault();
    at("drop").classList.remove("over");
    openFile(drag.dataTransfer?.files[0]);
  });
}

function turn(rows) {
  state.firstRow += rows;
  showRows();
}

listen();
start().catch((error) => {
  at("state").textContent = `✗ ${error.message}`;
  at("state").classList.add("bad");
});
