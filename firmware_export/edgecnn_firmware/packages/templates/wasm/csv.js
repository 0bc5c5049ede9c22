/* CSV to samples, in pieces, so that a large file does not freeze the page. */

const CSV_MOST_CHARACTERS = 1 << 20; // of a line
const CSV_MOST_BYTES = 100e6;
const CSV_PIECE_BYTES = 1 << 18;
const CSV_SHOWN = 40;
const CSV_NAMES_SHOWN = 8;
const CSV_TIMES_KEPT = 4097;
const CSV_NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const CSV_MISSING = /^(?:[+-]?nan|na)?$/i;
const CSV_TIME = /^(?:t|time|timestamp)(?:_?(?:s|sec|seconds|ms|us|ns))?$/;

/** A file that does not fit; the message is one line for the user. */
export class CsvError extends Error {}

/** Takes text piece by piece; finish() gives the samples. Throws CsvError. */
export class CsvReader {
  #channels;
  #isCounts;
  #rest = "";
  #row = 0;
  #separator = null;
  #header = null;
  #width = 0;
  #places = null;
  #timePlace = -1;
  #times = [];
  #values;
  #samples = 0;
  #missing = 0;

  /** channels: [{name, unit}] of the model; isCounts: whether values are raw int16 counts. */
  constructor(channels, isCounts = false) {
    this.#channels = channels;
    this.#isCounts = isCounts;
    this.#values = this.#room(1024 * channels.length);
  }

  take(text) {
    // A line end may be cut in two between pieces.
    let whole = this.#rest + text;
    const held = whole.endsWith("\r") ? "\r" : "";
    whole = whole.slice(0, whole.length - held.length);
    if (whole.includes("\r")) {
      whole = whole.replace(/\r\n?/g, "\n");
    }
    let start = 0;
    for (let end = whole.indexOf("\n"); end >= 0; end = whole.indexOf("\n", start)) {
      this.#line(whole.slice(start, end));
      start = end + 1;
    }
    this.#rest = whole.slice(start) + held;
    if (this.#rest.length > CSV_MOST_CHARACTERS) {
      throw new CsvError(`row ${this.#row + 1}: more than ${CSV_MOST_CHARACTERS} characters; expected rows of ${this.#expected()}`);
    }
  }

  finish() {
    this.#line(this.#rest.replace(/\r$/, ""));
    this.#rest = "";
    if (this.#samples === 0) {
      throw new CsvError(`no samples; expected rows of ${this.#expected()}`);
    }
    const used = new Set(this.#places);
    return {
      values: this.#values.subarray(0, this.#samples * this.#channels.length),
      samples: this.#samples,
      missing: this.#missing,
      /** Names of the columns that were taken, in the model's order; null without a header. */
      taken: this.#header && this.#places.map((place) => this.#header[place]),
      leftOut: this.#header ? this.#header.filter((_, place) => !used.has(place)) : [],
      /** Middle step of the time column in its own unit; null where there is none. */
      timeStep: middleStep(this.#times),
    };
  }

  #room(count) {
    return this.#isCounts ? new Int16Array(count) : new Float32Array(count);
  }

  #line(raw) {
    this.#row += 1;
    const line = raw.replace(/^[\ufeff ]+|[\v\f ]+$/g, "");
    if (line === "" || line.startsWith("#")) {
      return;
    }
    if (line.includes("\0")) {
      throw new CsvError(`row ${this.#row}: not a text file; expected CSV with rows of ${this.#expected()}`);
    }
    if (this.#separator === null) {
      this.#separator = separatorOf(line, this.#channels.length);
    }
    const cells = cellsOf(line, this.#separator);
    if (this.#places === null && this.#isFirstTheHeader(cells)) {
      return;
    }
    this.#sample(cells);
  }

  /** Look at the first row; true if it is a header and done with. */
  #isFirstTheHeader(cells) {
    const values = cells.map((cell) => this.#number(cell));
    const hasText = values.includes(null);
    const hasNumbers = values.some((value) => value !== null && !Number.isNaN(value));
    const count = this.#channels.length;
    if (hasText && (!hasNumbers || this.#matched(cells).every((places) => places.length === 1))) {
      this.#takeHeader(cells);
      return true;
    }
    const spare = cells.length === count + 1 && cells[count].trim() === "";
    if (cells.length !== count && !spare) {
      const hint = cells.length === count + 1 ? "; a time column needs a header that calls it time" : " or a header that names them";
      throw new CsvError(`row ${this.#row}: ${columns(cells.length)}; expected ${this.#expected()}${hint}`);
    }
    this.#width = count;
    this.#places = this.#channels.map((_, place) => place);
    return false;
  }

  #takeHeader(cells) {
    const names = cells.map((cell) => cell.trim());
    if (names.length > 1 && names.at(-1) === "") {
      names.pop();
    }
    const matched = this.#matched(names);
    const lacking = matched.findIndex((places) => places.length === 0);
    const twice = matched.findIndex((places) => places.length > 1);
    this.#timePlace = names.findIndex((name) => CSV_TIME.test(looseKey(name)));
    if (twice >= 0) {
      throw new CsvError(`row ${this.#row}: ${matched[twice].length} columns are called ${quoted(this.#channels[twice].name)}; expected one`);
    }
    if (lacking < 0) {
      this.#places = matched.map(([place]) => place);
    } else if (matched.some((places) => places.length > 0)) {
      throw new CsvError(`row ${this.#row}: the header has no column ${quoted(this.#channels[lacking].name)}; expected ${this.#expected()}`);
    } else {
      // pandas leaves the name of its index empty.
      const others = names.map((_, place) => place).filter((place) => place !== this.#timePlace && !(place === 0 && names[0] === ""));
      if (others.length !== this.#channels.length) {
        throw new CsvError(`row ${this.#row}: ${columns(others.length)}${this.#timePlace < 0 ? "" : " beside time"}; expected ${this.#expected()}, by name or in this order`);
      }
      this.#places = others;
    }
    this.#header = names;
    this.#width = names.length;
  }

  /** Where the header has each channel, by its name, as it is or without case, unit and spaces. */
  #matched(names) {
    const wanted = this.#channels.map(({ name }) => looseKey(name));
    const key = new Set(wanted).size === wanted.length ? looseKey : strictKey;
    const found = new Map();
    names.forEach((name, place) => found.set(key(name), [...(found.get(key(name)) ?? []), place]));
    return this.#channels.map(({ name }) => found.get(key(name)) ?? []);
  }

  #sample(cells) {
    const extra = cells.length - this.#width;
    if (extra !== 0 && !(extra === 1 && cells.at(-1).trim() === "")) {
      throw new CsvError(`row ${this.#row}: ${columns(cells.length)}; expected ${this.#width} as in the rows before`);
    }
    const count = this.#channels.length;
    const start = this.#samples * count;
    if (start + count > this.#values.length) {
      const larger = this.#room(2 * this.#values.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    let isMissing = false;
    for (let i = 0; i < count; ++i) {
      const cell = cells[this.#places[i]];
      const value = this.#number(cell);
      if (value === null || !this.#fits(value)) {
        this.#refuse(value, cell, this.#places[i]);
      }
      isMissing ||= Number.isNaN(value);
      this.#values[start + i] = value;
    }
    this.#samples += 1;
    this.#missing += isMissing ? 1 : 0;
    if (this.#timePlace >= 0 && this.#times.length < CSV_TIMES_KEPT) {
      this.#times.push(this.#number(cells[this.#timePlace]) ?? NaN);
    }
  }

  #fits(value) {
    if (this.#isCounts) {
      return Number.isInteger(value) && value >= -32768 && value <= 32767;
    }
    return Number.isNaN(value) || Number.isFinite(Math.fround(value));
  }

  #refuse(value, cell, place) {
    const where = `row ${this.#row}, column ${this.#header?.[place] ? quoted(this.#header[place]) : place + 1}: ${quoted(cell)}`;
    if (this.#isCounts) {
      throw new CsvError(`${where} is no raw count; expected an integer from -32768 to 32767`);
    }
    if (value === null) {
      throw new CsvError(`${where} is no number; expected one such as -0.25 or 1e-3, or an empty cell where it is missing`);
    }
    throw new CsvError(`${where} does not fit float32; expected a number within 3.4e38`);
  }

  /** A number, NaN where it is missing, null where there is another thing. */
  #number(cell) {
    const text = cell.trim();
    if (CSV_NUMBER.test(text)) {
      return Number(text);
    }
    if (CSV_MISSING.test(text)) {
      return NaN;
    }
    // Beside ; and tab a comma between digits is a decimal comma.
    const point = this.#separator === ";" || this.#separator === "\t" ? text.replace(",", ".") : text;
    return CSV_NUMBER.test(point) ? Number(point) : null;
  }

  #expected() {
    const names = this.#channels.slice(0, CSV_NAMES_SHOWN).map(({ name }) => shown(name));
    const more = this.#channels.length - names.length;
    const what = this.#channels.length === 1 ? "1 number" : `${this.#channels.length} numbers`;
    return `${what} (${names.join(", ")}${more > 0 ? ` and ${more} more` : ""})`;
  }
}

/** Read a file (a Blob) to its end; progress(share) is called between pieces and may throw to stop. */
export async function readCsv(file, channels, isCounts, progress) {
  if (file.size > CSV_MOST_BYTES) {
    throw new CsvError(`${(file.size / 1e6).toFixed(0)} MB; expected a CSV file of at most ${CSV_MOST_BYTES / 1e6} MB`);
  }
  const reader = new CsvReader(channels, isCounts);
  const mark = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const isWide = mark[0] + mark[1] === 0xff + 0xfe && Math.min(...mark) === 0xfe;
  const decoder = new TextDecoder(isWide ? (mark[0] === 0xff ? "utf-16le" : "utf-16be") : "utf-8");
  for (let start = 0; start < file.size; start += CSV_PIECE_BYTES) {
    const piece = await file.slice(start, start + CSV_PIECE_BYTES).arrayBuffer();
    reader.take(decoder.decode(piece, { stream: true }));
    await progress(Math.min(1, (start + CSV_PIECE_BYTES) / file.size));
  }
  reader.take(decoder.decode());
  return reader.finish();
}

function separatorOf(line, channels) {
  const found = [";", "\t", ","].find((separator) => line.includes(separator));
  if (found) {
    return found;
  }
  // Names of a single column may hold spaces.
  const isNumbers = line.split(/\s+/).every((cell) => CSV_NUMBER.test(cell) || CSV_MISSING.test(cell));
  return channels > 1 || isNumbers ? " " : null;
}

function cellsOf(line, separator) {
  if (separator === null) {
    return [unquoted(line)];
  }
  if (separator === " ") {
    return line.split(/\s+/).map(unquoted);
  }
  if (!line.includes('"')) {
    return line.split(separator);
  }
  const cells = [];
  let cell = "";
  let isQuoted = false;
  for (const character of line) {
    isQuoted = character === '"' ? !isQuoted : isQuoted;
    if (character === separator && !isQuoted) {
      cells.push(unquoted(cell));
      cell = "";
    } else {
      cell += character;
    }
  }
  return [...cells, unquoted(cell)];
}

function unquoted(cell) {
  const text = cell.trim();
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : cell;
}

function strictKey(name) {
  return name.trim().toLowerCase();
}

function looseKey(name) {
  const bare = strictKey(name).replace(/\s*[([][^()[\]]*[)\]]$/, "");
  return bare.replace(/[\s.-]+/g, "_") || strictKey(name);
}

function middleStep(times) {
  const steps = [];
  for (let i = 1; i < times.length; ++i) {
    steps.push(times[i] - times[i - 1]);
  }
  steps.sort((a, b) => a - b);
  const step = steps[steps.length >> 1];
  return step > 0 ? step : null;
}

function columns(count) {
  return count === 1 ? "1 column" : `${count} columns`;
}

function shown(text) {
  const clean = text.replace(/[^\P{C}]/gu, "?");
  return clean.length > CSV_SHOWN ? `${clean.slice(0, CSV_SHOWN - 3)}...` : clean;
}

function quoted(text) {
  return `'${shown(text.trim())}'`;
}
