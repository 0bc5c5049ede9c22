// Checks wrist and classifies one window: node example.mjs
import { readFile } from "node:fs/promises";

import { load } from "./wrist.js";

// In physical units, 4 x 2; wrist gives label 1.
const WINDOW = [
  -0.38340655, -58.2390976, 0.97866112, 219.715912, -0.965527773, -1.73442137, -0.366743386, 49.5438423,
];
const LABEL = 1;

const classifier = await load(await readFile(new URL("./wrist.wasm", import.meta.url)));
if (classifier.selftest() !== 0) {
  console.log("self-test failed");
  process.exit(1);
}
const result = classifier.classify(WINDOW);
console.log(`self-test passed; window is ${JSON.stringify(result.label)}, margin ${result.margin.toFixed(5)}`);
process.exit(result.index === LABEL ? 0 : 1);
