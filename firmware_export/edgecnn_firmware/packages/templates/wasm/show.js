/* Results as texts, tiles and tables. */

const PAGE_WARNINGS = 12;
const PAGE_LABELS = 24;

function factsText(name, table, found) {
  const { classifier } = state;
  const rate = classifier.sampleRate;
  const parts = [`${name}: ${many(table.samples, "sample")}${rate ? `, ${span(table.samples)} at ${rate} Hz` : ""}.`];
  if (table.taken) {
    const isByName = table.taken.every((column, i) => looseKey(column) === looseKey(classifier.channels[i].name));
    parts.push(isByName ? "Columns were found by name." : `Columns were taken in order: ${listed(table.taken.map((column, i) => `${shown(column)} as ${classifier.channels[i].name}`))}.`);
  }
  if (table.leftOut?.length) {
    parts.push(`Left out: ${listed(table.leftOut.map((column) => shown(column) || "the column without a name"))}.`);
  }
  if (table.missing) {
    parts.push(`${many(table.missing, "row")} with a missing value; after each the window begins anew.`);
  }
  const off = table.timeStep && rate ? table.timeStep * rate : 1;
  // Seconds, milliseconds, microseconds or nanoseconds.
  if (![1, 1e3, 1e6, 1e9].some((unit) => Math.abs(off / unit - 1) < 0.05)) {
    parts.push(`Its time column steps by ${short(table.timeStep)}, which is not ${rate} Hz in any unit: if the rate is another, the labels are wrong.`);
  }
  if (found.wasStopped) {
    parts.push(`Stopped after ${span(found.ends.at(-1))}.`);
  }
  return parts.join(" ");
}

function showTiles(table, found) {
  const counts = countsOf(found.labels);
  const [most, windows] = [...counts].sort((a, b) => b[1] - a[1])[0];
  const last = found.settled.at(-1);
  const changes = found.changed.filter(Boolean).length;
  const { medianUs, batches, windows: batch } = found.time;
  const took = medianUs < 1000 ? `${medianUs.toPrecision(3)} µs` : `${(medianUs / 1000).toPrecision(3)} ms`;
  const isExample = table.expected !== undefined;
  const same = isExample && found.labels[0] === table.expected ? "as the exported C says" : `expected ${labelName(table.expected ?? -1)}`;
  const tiles = [
    ["Windows", found.ends.length.toLocaleString("en"), `of ${many(state.classifier.window, "sample")}`],
    [isExample ? "Label" : "Most frequent", labelNode(most), isExample ? same : `${percent(windows / found.labels.length)} of the windows`],
    ["Settled label at the end", labelNode(last), changes === 1 ? "settled once" : `settled ${changes.toLocaleString("en")} times`],
    [model.isSliding ? "Time for a hop" : "Time for a window", took, `median of ${batches} batches of ${batch}, in this browser`],
  ];
  at("tiles").replaceChildren(
    ...tiles.map(([title, value, note]) => element("div", "", element("dt", "", title), element("dd", "value", value), element("dd", "note", note))),
  );
}

function countsOf(labels) {
  const counts = new Map();
  labels.forEach((label) => counts.set(label, (counts.get(label) ?? 0) + 1));
  return counts;
}

function showDrift(drift) {
  at("drift").hidden = drift === null;
  at("nodrift").hidden = drift !== null;
  const warnings = driftWarnings(drift, state.classifier.window);
  at("warnings").hidden = warnings.length === 0;
  const lines = warnings.slice(0, PAGE_WARNINGS).map(({ channel, texts }) => element("li", "", element("strong", "", channel), `: ${texts.join("; ")}`));
  if (warnings.length > PAGE_WARNINGS) {
    lines.push(element("li", "", `${many(warnings.length - PAGE_WARNINGS, "more channel")}`));
  }
  at("warninglist").replaceChildren(...lines);
  const rows = (drift ?? []).slice(0, 64).map(({ channel, meanShift, spread, clipped }) => {
    const head = element("th", "", channel);
    head.scope = "row";
    const shift = meanShift.toFixed(2).replace(/^-0.00$/, "0.00");
    return element("tr", "", head, element("td", "n", meanShift >= 0.005 ? `+${shift}` : shift), element("td", "n", `${spread.toFixed(2)} ×`), element("td", "n", percent(clipped)));
  });
  at("drift").tBodies[0].replaceChildren(...rows);
}

function showLabels(found) {
  const sums = new Map();
  found.labels.forEach((label, i) => sums.set(label, (sums.get(label) ?? 0) + probability(found.outputs.at(i), label, model)));
  const counts = [...countsOf(found.labels)].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const rows = counts.slice(0, PAGE_LABELS).map(([label, windows]) => {
    const share = windows / found.labels.length;
    const bar = element("span", "bar");
    bar.style.width = `${(100 * windows) / counts[0][1]}%`;
    bar.style.background = labelStyle(label);
    const head = element("th", "", labelNode(label));
    head.scope = "row";
    const confidence = percent(sums.get(label) / windows);
    return element("tr", "", head, element("td", "n", windows.toLocaleString("en")), element("td", "share", bar), element("td", "n", percent(share)), element("td", "n", confidence));
  });
  if (counts.length > PAGE_LABELS) {
    rows.push(element("tr", "", element("th", "hint", `${counts.length - PAGE_LABELS} more`)));
  }
  at("labels").tBodies[0].replaceChildren(...rows);
}

function chooseRows() {
  const { found } = state;
  const all = found.ends.map((_, window) => window);
  state.rows = at("changes").checked ? all.filter((window) => found.changed[window]) : all;
  state.firstRow = 0;
  showRows();
}

function showRows() {
  const { found, rows, firstRow, picked } = state;
  const rate = state.classifier.sampleRate;
  const page = rows.slice(firstRow, firstRow + PAGE_ROWS);
  at("windows").tBodies[0].replaceChildren(
    ...page.map((window) => {
      const button = element("button", "link", String(window + 1));
      button.type = "button";
      button.setAttribute("aria-label", `Show window ${window + 1}`);
      button.addEventListener("click", () => pick(window, true));
      const start = found.starts[window];
      const confidence = percent(probability(found.outputs.at(window), found.labels[window], model));
      const row = element("tr", window === picked ? "picked" : "", element("td", "", button), element("td", "n", rate ? timeText(start / rate) : String(start + 1)));
      row.append(element("td", "", labelNode(found.labels[window])), element("td", "n", confidence), element("td", "", labelNode(found.settled[window])));
      row.dataset.window = String(window);
      return row;
    }),
  );
  const last = Math.min(rows.length, firstRow + PAGE_ROWS);
  at("rows").textContent = rows.length ? `${firstRow + 1} to ${last} of ${rows.length.toLocaleString("en")}` : "no window";
  at("previous").disabled = firstRow === 0;
  at("next").disabled = last >= rows.length;
  at("pager").hidden = rows.length <= PAGE_ROWS;
}

/** Choose a window in table and drawing. */
function pick(window, isFromTable) {
  state.picked = window;
  const place = state.rows.indexOf(window);
  if (place >= 0 && !isFromTable) {
    state.firstRow = Math.floor(place / PAGE_ROWS) * PAGE_ROWS;
    showRows();
  }
  for (const row of at("windows").tBodies[0].rows) {
    row.classList.toggle("picked", row.dataset.window === String(window));
  }
  plot.select(window);
  at("readout").textContent = readoutText(window);
}

function showPicked(window, isFinal) {
  if (isFinal) {
    pick(window, false);
  } else {
    at("readout").textContent = readoutText(window >= 0 ? window : state.picked);
  }
}

function readoutText(window) {
  if (window < 0) {
    return "Point at a window, or choose one in the table.";
  }
  const { found } = state;
  const rate = state.classifier.sampleRate;
  const [start, end] = [found.starts[window], found.ends[window]];
  const when = rate ? `${timeText(start / rate)} to ${timeText(end / rate)}` : `samples ${start + 1} to ${end}`;
  const confidence = percent(probability(found.outputs.at(window), found.labels[window], model));
  return `Window ${window + 1}, ${when}: ${labelName(found.labels[window])}, ${confidence}; settled: ${labelName(found.settled[window])}`;
}
