// What is measured: one entry per piece of work. Goals are those of the project: `goal` bounds our
// own figure from above, the number beside a peer is how many times faster we want to be.

const SMALL_JS = { 'brain.js': null }
const OTHERS = { 'tfjs-wasm': null, PyTorch: null, candle: null, tract: null }
const BATCHES = { numpy: null, ...OTHERS }
const BY_HAND = { 'tfjs-wasm, matMul by hand': null }

/** Forward passes: `rows` inputs in one call, microseconds per call. */
const forward = [
  {
    title: '64-128-32, batch 1',
    ...{ network: 'mlp', rows: 1, goal: 1.1 },
    peers: { 'onnxruntime-web': 25, ...BATCHES, ...BY_HAND, candle: 2 },
  },
  {
    title: '64-128-32, batch 1, into a given array',
    ...{ network: 'mlp', rows: 1, what: 'runInto', goal: 1.1 },
    peers: {},
  },
  {
    title: '64-128-32, created from a plan that is known',
    ...{ network: 'mlp', rows: 1, what: 'again', goal: 5 },
    peers: {},
  },
  {
    title: '64-128-32, batch 256',
    ...{ network: 'mlp', rows: 256 },
    peers: { 'wasm mul+add peak': 0.75, 'onnxruntime-web': 1.7, ...BATCHES, ...BY_HAND },
  },
  {
    title: '64-128-32, sigmoid, batch 1',
    ...{ network: 'sigmoid', rows: 1 },
    peers: { libfann: 4, ...SMALL_JS },
  },
  {
    title: '64-128-32, sigmoid, batch 256',
    ...{ network: 'sigmoid', rows: 256 },
    peers: { libfann: null, ...SMALL_JS },
  },
  {
    title: '784-128-10, batch 1',
    ...{ network: 'wide', rows: 1 },
    peers: { 'onnxruntime-web': 3, ...BATCHES, ...BY_HAND },
  },
  {
    title: '784-128-10, batch 256',
    ...{ network: 'wide', rows: 256 },
    peers: { 'onnxruntime-web': 1.7, ...BATCHES, ...BY_HAND },
  },
  {
    title: 'CNN 28x28, 50K, batch 1',
    ...{ network: 'cnn', rows: 1 },
    peers: { 'onnxruntime-web': 2.5, ...OTHERS },
  },
  {
    title: 'CNN 28x28, 50K, batch 256',
    ...{ network: 'cnn', rows: 256 },
    peers: { 'onnxruntime-web': 1.8, ...OTHERS },
  },
  {
    title: 'LSTM h64, 32 steps, batch 1',
    ...{ network: 'lstm', rows: 1 },
    peers: { 'onnxruntime-web': 1.6, ...BATCHES },
  },
  {
    title: 'LSTM h64, 32 steps, batch 256',
    ...{ network: 'lstm', rows: 256 },
    peers: { 'onnxruntime-web': 1.8, ...BATCHES },
  },
  {
    title: '2-4-2 population of 1,000, per network',
    ...{ network: 'tiny', rows: 1, divisor: 1000, goal: 0.015 },
    peers: { libfann: null, ...SMALL_JS, numpy: null },
  },
]

/** Training: microseconds per epoch, Adam at 1e-3 with batches of 32. */
const training = [
  {
    title: 'digits 64-128-10, epoch of 1,437',
    ...{ network: 'digits', rows: 256, what: 'epoch', goal: 3000 },
    peers: { 'tfjs-wasm': 30, numpy: 2.5, PyTorch: 8, candle: null },
    accuracy: { title: 'digits, test accuracy after 20 epochs', epochs: 20, goal: 0.975 },
  },
  {
    title: 'CNN 28x28, 50K, epoch of 32',
    ...{ network: 'images', rows: 32, what: 'epoch', rounds: 3 },
    peers: { 'tfjs-wasm': null, 'tfjs-cpu': 10, PyTorch: null },
  },
]

/** Many networks at rest, each in a process of its own; memory relative to the parameters. */
const idle = {
  network: 'sigmoid',
  count: 1000,
  memory: { title: '1,000 idle 64-128-32, memory each', goal: 1.05 },
  creation: { title: '1,000 idle 64-128-32, creating each', goal: 5 },
  peers: ['onnxruntime-web', 'tfjs-wasm', 'brain.js', 'libfann', 'PyTorch'],
}

/** Processor time of a new process up to its first result, above that of bare Node. */
const cold = {
  title: 'cold first inference, processor time',
  network: 'sigmoid',
  goal: 10_000,
  peers: ['onnxruntime-web', 'tfjs-wasm', 'brain.js'],
}

/** What a page downloads. The goal is for the artifact alone, as wasm-pack.toml counts it. */
const size = {
  artifact: { title: '`neural` artifact alone, gzip', goal: 60_000 },
  whole: { title: 'download: wasm and its JS, gzip' },
}

export const ROWS = { timed: [...forward, ...training], idle, cold, size }
