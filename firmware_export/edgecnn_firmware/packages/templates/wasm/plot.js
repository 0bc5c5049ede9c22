/* The signal, its windows and the labels over time, on a canvas. */

const PLOT_LANES = 6;
const PLOT_ROWS = 4; // of windows that overlap
const PLOT_ROW_PX = 7;
const PLOT_BAND_PX = 24;
const PLOT_CAPTION_PX = 18;
const PLOT_AXIS_PX = 24;
const PLOT_LEAST_SAMPLES = 8;
const PLOT_DRAG_PX = 4;

export class Plot {
  #canvas;
  #context;
  #picked;
  #data = null;
  #signal = null;
  #from = 0;
  #to = 1;
  #firstChannel = 0;
  #selected = -1;
  #hovered = -1;
  #frame = 0;
  #drag = null;
  #style = null;
  #labelColors = new Map();

  /** picked(window, isFinal): a window was pointed at, or chosen; -1 is none. */
  constructor(canvas, picked) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#picked = picked;
    new ResizeObserver(() => this.#later()).observe(canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#later());
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", () => (this.#drag = null));
    canvas.addEventListener("pointerleave", () => this.#hover(-1));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** data: {values, samples, channels, labels, window, rate, found}. */
  show(data) {
    this.#data = data;
    this.#signal = new Signal(data.values, data.samples, data.channels.length);
    this.#selected = this.#hovered = -1;
    this.#firstChannel = 0;
    this.all();
  }

  all() {
    this.#look(0, this.#data.samples);
  }

  zoom(factor, at = (this.#from + this.#to) / 2) {
    this.#look(at - (at - this.#from) * factor, at + (this.#to - at) * factor);
  }

  pan(share) {
    const by = share * (this.#to - this.#from);
    this.#look(this.#from + by, this.#to + by);
  }

  /** Show other channels, from this one on. */
  showChannels(first) {
    this.#firstChannel = first;
    this.#later();
  }

  /** Choose a window and bring it into view. */
  select(window) {
    const { starts, ends } = this.#data.found;
    this.#selected = window;
    if (window >= 0 && (starts[window] < this.#from || ends[window] > this.#to)) {
      const middle = (starts[window] + ends[window]) / 2;
      const half = Math.max((this.#to - this.#from) / 2, ends[window] - starts[window]);
      this.#look(middle - half, middle + half);
    }
    this.#later();
  }

  #look(from, to) {
    const { samples } = this.#data;
    const width = Math.min(samples, Math.max(PLOT_LEAST_SAMPLES, to - from));
    const middle = (from + to) / 2;
    this.#from = Math.min(Math.max(0, middle - width / 2), samples - width);
    this.#to = this.#from + width;
    this.#later();
  }

  #later() {
    if (!this.#frame && this.#data) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#draw();
      });
    }
  }

  #draw() {
    const width = this.#canvas.parentElement.clientWidth;
    if (width < 10) {
      return;
    }
    const lanes = Math.min(PLOT_LANES, this.#data.channels.length - this.#firstChannel);
    const lane = Math.max(width < 600 ? 56 : 70, Math.min(160, 340 / lanes));
    const rows = this.#windowRows(width);
    const top = rows * PLOT_ROW_PX + (rows ? 6 : 0);
    const bands = top + lanes * lane + 4;
    const height = bands + 2 * (PLOT_CAPTION_PX + PLOT_BAND_PX) + PLOT_AXIS_PX;
    const density = Math.min(3, devicePixelRatio || 1);
    this.#canvas.width = Math.round(width * density);
    this.#canvas.height = Math.round(height * density);
    this.#canvas.style.height = `${height}px`;
    const context = this.#context;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    this.#style = getComputedStyle(document.documentElement);
    this.#labelColors.clear();
    this.#drawMarked(width, bands - 4);
    this.#drawWindows(width, rows);
    for (let i = 0; i < lanes; ++i) {
      this.#drawLane(this.#firstChannel + i, top + i * lane, lane, width);
    }
    const { labels, settled } = this.#data.found;
    this.#drawBand("label of each window", labels, bands, width);
    this.#drawBand("settled label", settled, bands + PLOT_CAPTION_PX + PLOT_BAND_PX, width);
    this.#drawAxis(height - PLOT_AXIS_PX, width);
  }

  #color(name) {
    return this.#style.getPropertyValue(`--${name}`).trim();
  }

  #font(px, weight = 400) {
    this.#context.font = `${weight} ${px}px ${getComputedStyle(document.body).fontFamily}`;
  }

  #x(sample, width) {
    return ((sample - this.#from) / (this.#to - this.#from)) * width;
  }

  /** First and one behind the last window of those in view. */
  #inView() {
    const { starts, ends } = this.#data.found;
    return [firstAbove(ends, this.#from), firstAbove(starts, this.#to)];
  }

  #windowRows(width) {
    const { starts, ends } = this.#data.found;
    if (starts.length === 0) {
      return 0;
    }
    const hop = starts.length > 1 ? starts[1] - starts[0] : ends[0] - starts[0];
    if ((hop / (this.#to - this.#from)) * width < 5) {
      return 0;
    }
    return Math.min(PLOT_ROWS, Math.ceil((ends[0] - starts[0]) / hop), starts.length);
  }

  #drawWindows(width, rows) {
    const { starts, ends, labels } = this.#data.found;
    const [first, last] = this.#inView();
    for (let i = first; rows && i < last; ++i) {
      const left = Math.max(-2, this.#x(starts[i], width) + 1);
      const right = Math.min(width + 2, this.#x(ends[i], width) - 1);
      this.#context.fillStyle = this.#labelColor(labels[i]);
      this.#context.fillRect(left, 2 + (i % rows) * PLOT_ROW_PX, Math.max(1, right - left), 3);
    }
  }

  #drawMarked(width, bottom) {
    for (const window of new Set([this.#hovered, this.#selected])) {
      if (window >= 0) {
        const left = this.#x(this.#data.found.starts[window], width);
        const right = this.#x(this.#data.found.ends[window], width);
        this.#context.fillStyle = this.#color(window === this.#selected ? "value" : "panel");
        this.#context.fillRect(left, 0, right - left, bottom);
      }
    }
  }

  #drawLane(channel, top, height, width) {
    const context = this.#context;
    const { name, unit } = this.#data.channels[channel];
    const columns = this.#signal.columns(channel, this.#from, this.#to, Math.round(width));
    let least = Infinity;
    let most = -Infinity;
    for (const [low, high] of columns) {
      least = Math.min(least, low);
      most = Math.max(most, high);
    }
    const caption = 16;
    const spread = most - least || 1;
    const y = (value) => top + height - 5 - ((value - least) / spread) * (height - caption - 9);
    context.strokeStyle = this.#color("rule");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, Math.round(top + height) - 0.5);
    context.lineTo(width, Math.round(top + height) - 0.5);
    context.stroke();
    context.strokeStyle = this.#color("int8");
    context.lineWidth = 1.2;
    context.lineJoin = "round";
    context.beginPath();
    this.#trace(channel, columns, y, width);
    context.stroke();
    this.#font(12, 600);
    context.textBaseline = "top";
    context.textAlign = "left";
    context.lineWidth = 3;
    context.strokeStyle = this.#color("bg");
    context.fillStyle = this.#color("ink");
    const title = fitted(context, unit ? `${name} in ${unit}` : name, width * 0.6);
    context.fillText(title, 0, top + 3);
    if (least <= most) {
      this.#font(11);
      context.fillStyle = this.#color("muted");
      context.textAlign = "right";
      context.fillText(`${short(least)} to ${short(most)}`, width, top + 4);
    }
  }

  /** Points where there are few, else the least and greatest of every pixel. */
  #trace(channel, columns, y, width) {
    const context = this.#context;
    const { values, channels } = this.#data;
    const isFew = this.#to - this.#from <= 2 * width;
    let isDrawing = false;
    const to = (x, value) => {
      if (Number.isNaN(value) || !Number.isFinite(value)) {
        isDrawing = false;
      } else if (isDrawing) {
        context.lineTo(x, y(value));
      } else {
        context.moveTo(x, y(value));
        isDrawing = true;
      }
    };
    if (isFew) {
      for (let i = Math.floor(this.#from); i < Math.min(this.#data.samples, Math.ceil(this.#to) + 1); ++i) {
        to(this.#x(i + 0.5, width), values[i * channels.length + channel]);
      }
      return;
    }
    columns.forEach(([low, high], i) => {
      to(i + 0.5, low <= high ? low : NaN);
      to(i + 0.5, low <= high ? high : NaN);
    });
  }

  #drawBand(caption, labels, top, width) {
    const context = this.#context;
    const { found } = this.#data;
    const [first, last] = this.#inView();
    this.#font(11);
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillStyle = this.#color("muted");
    context.fillText(caption, 0, top + 4);
    const y = top + PLOT_CAPTION_PX;
    context.fillStyle = this.#color("track");
    context.fillRect(0, y, width, PLOT_BAND_PX - 4);
    if (last - first > 4 * width) {
      this.#drawDenseBand(labels, y, width);
      return;
    }
    for (let i = first; i < last; ) {
      // Neighbors of one label are one piece.
      let next = i + 1;
      while (next < last && labels[next] === labels[i] && found.shown[next] === found.ends[next - 1]) {
        next += 1;
      }
      const left = Math.max(0, this.#x(found.shown[i], width));
      const right = Math.min(width, this.#x(found.ends[next - 1], width));
      if (labels[i] >= 0 && right > left) {
        this.#drawPiece(labels[i], left, y, right - left);
      }
      i = next;
    }
  }

  /** Where many windows share a pixel, each pixel has the label in its middle. */
  #drawDenseBand(labels, y, width) {
    const { shown, ends } = this.#data.found;
    for (let x = 0; x < width; ++x) {
      const sample = this.#sampleAt(x + 0.5);
      const window = firstAbove(ends, sample);
      if (window < ends.length && shown[window] <= sample && labels[window] >= 0) {
        this.#context.fillStyle = this.#labelColor(labels[window]);
        this.#context.fillRect(x, y, 1, PLOT_BAND_PX - 4);
      }
    }
  }

  #labelColor(index) {
    if (!this.#labelColors.has(index)) {
      this.#labelColors.set(index, labelColor(index));
    }
    return this.#labelColors.get(index);
  }

  #drawPiece(label, left, top, width) {
    const context = this.#context;
    context.fillStyle = this.#labelColor(label);
    const color = context.fillStyle;
    context.fillRect(left, top, Math.max(0.75, width - (width > 6 ? 1 : 0)), PLOT_BAND_PX - 4);
    if (width > 26) {
      this.#font(11, 600);
      context.textBaseline = "middle";
      const text = fitted(context, this.#data.labels[label], width - 10);
      context.fillStyle = inkOn(color);
      context.fillText(text.length > 1 ? text : "", left + 5, top + (PLOT_BAND_PX - 4) / 2 + 0.5);
    }
  }

  #drawAxis(top, width) {
    const context = this.#context;
    const unit = this.#data.rate ?? 1;
    const from = this.#from / unit;
    const to = this.#to / unit;
    const step = roundStep((to - from) / Math.max(2, Math.floor(width / 90)));
    this.#font(11);
    context.textBaseline = "top";
    context.fillStyle = this.#color("muted");
    context.strokeStyle = this.#color("muted");
    context.lineWidth = 1;
    for (let tick = Math.ceil(from / step); tick * step <= to; ++tick) {
      const x = ((tick * step - from) / (to - from)) * width;
      const text = this.#data.rate ? timeText(tick * step, step) : String(Math.round(tick * step));
      context.beginPath();
      context.moveTo(x, top);
      context.lineTo(x, top + 4);
      context.stroke();
      const half = context.measureText(text).width / 2;
      context.textAlign = "center";
      context.fillText(text, Math.min(width - half, Math.max(half, x)), top + 8);
    }
  }

  #windowAt(event) {
    const x = event.clientX - this.#canvas.getBoundingClientRect().left;
    const sample = this.#sampleAt(x);
    const { shown: starts, ends } = this.#data.found;
    const window = firstAbove(ends, sample);
    return window < ends.length && starts[window] <= sample ? window : -1;
  }

  #sampleAt(x) {
    return this.#from + (x / this.#canvas.clientWidth) * (this.#to - this.#from);
  }

  #hover(window) {
    if (window !== this.#hovered) {
      this.#hovered = window;
      this.#picked(window, false);
      this.#later();
    }
  }

  #down(event) {
    if (this.#data && event.isPrimary) {
      this.#drag = { x: event.clientX, from: this.#from, to: this.#to, isMoved: false };
      this.#canvas.setPointerCapture(event.pointerId);
    }
  }

  #move(event) {
    if (!this.#data) {
      return;
    }
    const drag = this.#drag;
    if (drag && (drag.isMoved || Math.abs(event.clientX - drag.x) > PLOT_DRAG_PX)) {
      drag.isMoved = true;
      const by = ((drag.x - event.clientX) / this.#canvas.clientWidth) * (drag.to - drag.from);
      this.#look(drag.from + by, drag.to + by);
    } else if (event.pointerType === "mouse") {
      this.#hover(this.#windowAt(event));
    }
  }

  #up(event) {
    const drag = this.#drag;
    this.#drag = null;
    if (drag && !drag.isMoved) {
      this.#selected = this.#windowAt(event);
      this.#picked(this.#selected, true);
      this.#later();
    }
  }

  #wheel(event) {
    if (!this.#data) {
      return;
    }
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const x = event.clientX - this.#canvas.getBoundingClientRect().left;
      this.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 120), this.#sampleAt(x));
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      this.pan(event.deltaX / this.#canvas.clientWidth);
    }
  }
}
