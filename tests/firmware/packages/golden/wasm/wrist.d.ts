/** wrist 1.2.3: Three gestures of a wrist. */

export interface Result {
  /** From push: null as long as no label has settled. */
  readonly label: string | null;
  readonly index: number;
  /** Of this window alone. */
  readonly windowLabel: string;
  readonly windowIndex: number;
  /** From push: whether the label is another than before. */
  readonly changed: boolean;
  /** By label, 0 to 1; from push smoothed. */
  readonly probabilities: number[];
  /** The largest probability less the next. */
  readonly margin: number;
  /** The network's int8 outputs. */
  readonly outputs: Int8Array;
}

/** How a channel differs from the training data. */
export interface Drift {
  readonly channel: string;
  readonly samples: number;
  /** In standard deviations of the training data. */
  readonly meanShift: number;
  /** Standard deviation; 1 is that of the training data. */
  readonly spread: number;
  /** Share of samples at the ends of the input's range. */
  readonly clipped: number;
}

export interface Classifier {
  readonly name: string;
  readonly version: string;
  readonly modelSha256: string;
  readonly labels: readonly string[];
  readonly channels: readonly { readonly name: string; readonly unit: string }[];
  readonly window: number;
  readonly hop: number;
  /** In Hz; null where it is not known. */
  readonly sampleRate: number | null;
  readonly hasCounts: boolean;
  classify(values: ArrayLike<number>): Result;
  classifyCounts(counts: ArrayLike<number>): Result;
  push(sample: ArrayLike<number>): Result | null;
  pushCounts(sample: ArrayLike<number>): Result | null;
  monitor(): Drift[] | null;
  reset(): void;
  check(): number;
  selftest(): number;
}

export function load(source: ArrayBuffer | ArrayBufferView | URL | string | Response): Promise<Classifier>;
