/**
 * Named architectures: for each a few layers that are known to work, with the paper they are from,
 * for as many inputs and outputs as the data has.
 *
 * The sizes are those of micro-networks, 10^3 to 10^5 parameters, and are the same for any data.
 * `tests/vectors/presets.json` keeps what they come to, so that no change goes unnoticed.
 */
import { usageError } from './errors.js'
import { layersOf, outputCount, parameterCount, shapeText, sizesOf } from './training/shapes.js'
import { lossOf, outputActivation } from './training/specification.js'
import type { Activation, Layer, Loss, Shape, Specification } from './wasm.js'

/** A kind of architecture. */
export interface Preset {
  /** In a few words. */
  readonly summary: string
  /** Where it is from. */
  readonly source: string
  /** What it takes unless told otherwise; other inputs are as many sizes. */
  readonly inputs: number | Shape
  /** How many outputs it has unless told otherwise; `inputs` for one that gives back its input. */
  readonly outputs: number | 'inputs'
  /** The layers, the last with the given activation. */
  layers(inputs: number | Shape, output: Layer): readonly Layer[]
}

/** What a preset is to be made for; what is absent is the preset's own. */
export interface PresetOptions {
  readonly inputs?: number | Shape | undefined
  readonly outputs?: number | undefined
  readonly loss?: Loss | undefined
}

const relu = (units: number): Layer => ({ units, activation: 'relu' })

/**
 * `mlp`: one hidden layer. Rumelhart, Hinton and Williams 1986, "Learning representations by
 * back-propagating errors"; relu by Glorot, Bordes and Bengio 2011, "Deep sparse rectifier neural
 * networks".
 */
const mlp: Preset = {
  summary: 'one hidden layer, for rows of numbers',
  source: 'Rumelhart, Hinton, Williams 1986',
  inputs: 64,
  outputs: 10,
  layers: (_, output) => [relu(128), output],
}

/**
 * `decision`: two hidden layers, about 5,000 parameters, for choices from a dozen measurements.
 * Gorishniy et al. 2021, "Revisiting deep learning models for tabular data": a plain network of
 * this kind is a hard baseline to beat on tables.
 */
const decision: Preset = {
  summary: 'two hidden layers, for decisions from a few measurements',
  source: 'Gorishniy et al. 2021',
  inputs: 16,
  outputs: 4,
  layers: (_, output) => [relu(64), relu(56), output],
}

/** Smaller images would have no pixels left if convolutions ate their borders. */
const VISION_SIDE_MIN = 12

/**
 * `vision`: two convolutions with pooling, about 50,000 parameters on 28 x 28 pixels. The shape is
 * LeNet-5's: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document
 * recognition"; with relu and max pooling instead of tanh and subsampling.
 */
const vision: Preset = {
  summary: 'a small convolutional network, for images',
  source: 'LeCun et al. 1998 (LeNet-5)',
  inputs: [28, 28, 1],
  outputs: 10,
  layers(inputs, output) {
    const [height = 0, width = 0] = sizesOf(inputs)
    const padding = Math.min(height, width) < VISION_SIDE_MIN ? 'same' : 'valid'
    const conv = (kernel: number, filters: number): Layer => {
      return { type: 'conv2d', filters, kernel, padding, activation: 'relu' }
    }
    const pool: Layer = { type: 'max-pool2d', window: 2 }
    return [conv(5, 16), pool, conv(3, 32), pool, { type: 'flatten' }, relu(56), output]
  },
}

/** Byte values. */
const BYTES = 256
const TEXT_FEATURES = 64
const TEXT_BLOCKS = 2

/**
 * `text`: a transformer over bytes, about 100,000 parameters. Vaswani et al. 2017, "Attention is
 * all you need", an encoder with sinusoidal positions; normalised before each part, which trains
 * without warm-up (Xiong et al. 2020, "On layer normalization in the transformer architecture");
 * bytes as words (Xue et al. 2022, "ByT5"). A row is the bytes of a text, filled up with 0.
 */
const text: Preset = {
  summary: 'a transformer over bytes, for short texts',
  source: 'Vaswani et al. 2017',
  inputs: 64,
  outputs: 4,
  layers(inputs, output) {
    const [steps = 1] = sizesOf(inputs)
    const layers: Layer[] = [
      { type: 'embedding', vocabulary: BYTES, units: TEXT_FEATURES },
      { type: 'position' },
    ]
    for (let block = 0; block < TEXT_BLOCKS; block += 1) layers.push(...textBlock(layers.length))
    const mean: Layer = { type: 'average-pool1d', window: steps }
    return [...layers, { type: 'layer-norm' }, mean, { type: 'flatten' }, output]
  },
}

/** Attention and a network at each step, each added to what it was given: value `from`. */
function textBlock(from: number): Layer[] {
  return [
    { type: 'layer-norm' },
    { type: 'attention', heads: 4 },
    { type: 'add', with: from },
    { type: 'layer-norm' },
    relu(3 * TEXT_FEATURES),
    { units: TEXT_FEATURES, activation: 'linear' },
    { type: 'add', with: from + 3 },
  ]
}

/**
 * `lstm`: one layer of long short-term memory, the last step decides. Hochreiter and Schmidhuber
 * 1997, "Long short-term memory"; forget gates by Gers, Schmidhuber and Cummins 2000.
 */
const lstm: Preset = {
  summary: 'long short-term memory, for sequences',
  source: 'Hochreiter, Schmidhuber 1997',
  inputs: [32, 16],
  outputs: 10,
  layers: (_, output) => [{ type: 'lstm', units: 64 }, output],
}

/**
 * `gru`: the same with gated recurrent units, a quarter smaller. Cho et al. 2014, "Learning phrase
 * representations using RNN encoder-decoder for statistical machine translation".
 */
const gru: Preset = {
  summary: 'gated recurrent units, for sequences',
  source: 'Cho et al. 2014',
  inputs: [32, 16],
  outputs: 10,
  layers: (_, output) => [{ type: 'gru', units: 64 }, output],
}

/**
 * `autoencoder`: gives back its input through a code of 8 numbers. Hinton and Salakhutdinov 2006,
 * "Reducing the dimensionality of data with neural networks".
 */
const autoencoder: Preset = {
  summary: 'gives back its input through a code of 8 numbers',
  source: 'Hinton, Salakhutdinov 2006',
  inputs: 64,
  outputs: 'inputs',
  layers: (_, output) => [relu(32), { units: 8, activation: 'linear' }, relu(32), output],
}

/**
 * `lightweight`: depthwise separable convolutions, about 1,300 parameters, for images on devices
 * that have little of everything. Howard et al. 2017, "MobileNets: efficient convolutional neural
 * networks for mobile vision applications".
 */
const lightweight: Preset = {
  summary: 'separable convolutions in few parameters, for images at the edge',
  source: 'Howard et al. 2017 (MobileNet)',
  inputs: [28, 28, 1],
  outputs: 10,
  layers(inputs, output) {
    const conv = (kernel: number, filters: number, stride: number, groups: number): Layer => {
      const sizes = { filters, kernel, stride, groups }
      return { type: 'conv2d', ...sizes, padding: 'same', activation: 'relu' }
    }
    const separable = (from: number, to: number, stride: number): Layer[] => {
      return [conv(3, from, stride, from), conv(1, to, 1, 1)]
    }
    const layers = [conv(3, 8, 2, 1), ...separable(8, 16, 1), ...separable(16, 32, 2)]
    const [height = 1, width = 1] = layersOf({ inputs, layers }).at(-1)?.output ?? []
    const mean: Layer = { type: 'average-pool2d', window: [height, width] }
    return [...layers, mean, { type: 'flatten' }, output]
  },
}

/** Every preset by its name. */
export const PRESETS = {
  mlp,
  decision,
  vision,
  text,
  lstm,
  gru,
  autoencoder,
  lightweight,
} as const satisfies Readonly<Record<string, Preset>>

/** Name of a preset. */
export type PresetName = keyof typeof PRESETS

/** The names in the order of the table. */
export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[]

/** What a user gives for inputs of so many sizes. */
const SHAPE_HINTS = ['', 'a number: 64', 'STEPSxFEATURES: 32x16', 'HEIGHTxWIDTHxCHANNELS: 28x28x1']

/**
 * The specification of a preset for some data.
 *
 * Several outputs are classes and one is a number, unless a loss says otherwise; a network that
 * gives back its input predicts numbers.
 *
 * @throws SynapticError `usage` for inputs of another kind, or outputs it cannot have
 */
export function presetSpecification(name: PresetName, options: PresetOptions = {}): Specification {
  const preset: Preset = PRESETS[name]
  const inputs = options.inputs ?? preset.inputs
  const rank = sizesOf(preset.inputs).length
  if (sizesOf(inputs).length !== rank) {
    const hint = `give inputs as ${SHAPE_HINTS[rank]}`
    throw usageError(`${name} cannot take ${shapeText(inputs)} as inputs`, hint)
  }
  const outputs = outputsOf(name, preset, inputs, options.outputs)
  const numbers = preset.outputs === 'inputs' || outputs === 1
  const loss = options.loss ?? lossOf(numbers ? 'regression' : 'classification')
  const activation: Activation = outputActivation(loss, outputs)
  return { inputs, layers: preset.layers(inputs, { units: outputs, activation }), loss }
}

function outputsOf(
  name: PresetName,
  preset: Preset,
  inputs: number | Shape,
  outputs: number | undefined,
): number {
  if (preset.outputs !== 'inputs') return outputs ?? preset.outputs
  const [count = 0] = sizesOf(inputs)
  if (outputs === undefined || outputs === count) return count
  throw usageError(
    `${name} gives back its ${count} inputs, and cannot have ${outputs} outputs`,
    'leave the outputs out',
  )
}

/** The presets as rows of a table, with their parameters for what they take by default. */
export function presetTable(): string[][] {
  const rows = PRESET_NAMES.map((name) => {
    const specification = presetSpecification(name)
    const sizes = [shapeText(specification.inputs), String(outputCount(specification))]
    return [name, ...sizes, String(parameterCount(specification)), PRESETS[name].summary]
  })
  return [['name', 'inputs', 'outputs', 'parameters', 'what'], ...rows]
}
