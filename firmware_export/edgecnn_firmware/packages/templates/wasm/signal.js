/* Samples as a drawing needs them: the least and greatest of every pixel. */

const SIGNAL_BLOCK = 64; // samples, of which the least and greatest are kept

export class Signal {
  #values;
  #samples;
  #channels;
  #blocks = [];

  /** values: samples x channels. */
  constructor(values, samples, channels) {
    this.#values = values;
    this.#samples = samples;
    this.#channels = channels;
  }

  /** [least, greatest] of a channel for every pixel from one sample to another; least is above greatest where none is known. */
  columns(channel, start, end, width) {
    const step = (end - start) / width;
    const columns = [];
    for (let i = 0; i < width; ++i) {
      const from = Math.min(this.#samples - 1, Math.floor(start + i * step));
      const to = Math.min(this.#samples, Math.max(from + 1, Math.ceil(start + (i + 1) * step)));
      columns.push(step >= 4 * SIGNAL_BLOCK ? this.#blockRange(channel, from, to) : this.#range(channel, from, to));
    }
    return columns;
  }

  #range(channel, from, to) {
    let least = Infinity;
    let most = -Infinity;
    for (let i = from * this.#channels + channel; i < to * this.#channels; i += this.#channels) {
      const value = this.#values[i];
      least = value < least ? value : least;
      most = value > most ? value : most;
    }
    return [least, most];
  }

  /** The same to the nearest block, for long recordings. */
  #blockRange(channel, from, to) {
    this.#blocks[channel] ??= Array.from({ length: Math.ceil(this.#samples / SIGNAL_BLOCK) }, (_, i) =>
      this.#range(channel, i * SIGNAL_BLOCK, Math.min(this.#samples, (i + 1) * SIGNAL_BLOCK)),
    );
    let least = Infinity;
    let most = -Infinity;
    for (let i = Math.floor(from / SIGNAL_BLOCK); i < Math.ceil(to / SIGNAL_BLOCK); ++i) {
      least = Math.min(least, this.#blocks[channel][i][0]);
      most = Math.max(most, this.#blocks[channel][i][1]);
    }
    return [least, most];
  }
}
