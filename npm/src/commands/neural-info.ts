/** `neural info`: what is in a model file. */
import type { Context } from '../context.js'
import { ARTEFACT_BYTES_MAX, readBounded } from '../files.js'
import type { FannInfo } from '../neural/fann/model.js'
import { bytesText, columns } from '../output.js'
import { TrainingPool } from '../training/pool.js'
import type { ModelInfo } from '../training/protocol.js'
import { shapeText } from '../training/shapes.js'
import type { Column, Layer, Scaling } from '../wasm.js'

/** Options of `neural info`. */
export interface InfoOptions {
  readonly model: string
}

/** Columns of a table that is still a table to read. */
const COLUMNS_SHOWN_MAX = 40
/** Enough class names to recognise them by. */
const CLASSES_SHOWN_MAX = 12

/** Prints layers and what belongs to them. */
export async function run({ output }: Context, options: InfoOptions): Promise<void> {
  const model = readBounded(options.model, ARTEFACT_BYTES_MAX)
  const pool = new TrainingPool(1)
  try {
    const info = await pool.request('model', 'describe', { model, modelFile: options.model })
    const data = { ...info, model: options.model, bytes: model.length }
    output.result(data, () => textOf(info, model.length))
  } finally {
    await pool.close()
  }
}

function textOf(info: ModelInfo, bytes: number): string {
  const { parameters, task, classes, scaling, weightsCid, columns: table } = info
  const { network, about } = info.fann ? fannTable(info.fann) : layerTable(info)
  const facts = [
    ['parameters', String(parameters)],
    ...about,
    ['task', task ?? 'not trained yet'],
    ...(classes.length === 0 ? [] : [['classes', classesText(classes)]]),
    ['scaling', scalingText(scaling)],
    ['weights', weightsCid],
    ['file', bytesText(bytes)],
  ]
  const parts = [columns(network), columns(facts)]
  if (table.length > 0) parts.push(columns(columnRows(table)))
  return parts.join('\n\n')
}

/** The columns of the tables a model takes: inputs, and what stands in for a missing value. */
function columnRows(table: readonly Column[]): string[][] {
  const rows = table.slice(0, COLUMNS_SHOWN_MAX).map(({ name = '', categories, fill }, index) => {
    const missing =
      fill === undefined ? 'an error' : (categories?.[fill] ?? String(Number(fill.toPrecision(4))))
    const what = categories === undefined ? 'number' : classesText(categories)
    return [String(index), name, String(categories?.length ?? 1), missing, what]
  })
  const more = table.length - COLUMNS_SHOWN_MAX
  if (more > 0) rows.push(['', `and ${more} more`])
  return [['column', 'name', 'inputs', 'missing', 'what'], ...rows]
}

interface What {
  readonly network: string[][]
  readonly about: string[][]
}

function layerTable({ specification, layers }: ModelInfo): What {
  if (specification === null) return { network: [], about: [] }
  const rows = layers.map(({ type, output, parameters: count }, index) => {
    const layer = specification.layers[index]
    const what = layer === undefined ? '' : detailOf(layer)
    return [String(index + 1), type, what, shapeText(output), String(count)]
  })
  const inputs = ['0', 'input', '', shapeText(specification.inputs), '']
  const network = [['#', 'layer', '', 'output', 'parameters'], inputs, ...rows]
  return { network, about: [['loss', specification.loss]] }
}

function fannTable(fann: FannInfo): What {
  const heads = [['#', 'layer', 'neurons', 'activation', 'steepness']]
  const rows = fann.layers.map((size, index) => {
    const steeps = fann.activations[index - 1] ?? []
    const several = steeps.length > 1 ? 'several' : undefined
    const one = steeps[0]
    const name = index === 0 ? 'input' : index === fann.layers.length - 1 ? 'output' : 'hidden'
    const steepness = one === undefined ? '' : String(Number(one.steepness.toPrecision(6)))
    return [
      ...[String(index), name, String(size)],
      ...[several ?? one?.activation ?? '', several ?? steepness],
    ]
  })
  const about = [
    ['kind', `FANN, ${fann.kind}`],
    ['hidden neurons', String(fann.hiddenNeurons)],
    ['cascade neurons', String(fann.cascadeNeurons)],
    ['connections', String(fann.connections)],
    ['connection rate', String(Number(fann.connectionRate.toPrecision(6)))],
  ]
  return { network: [...heads, ...rows], about }
}

/** The settings of a layer besides its type and its size. */
export function detailOf({ type: _, ...settings }: Layer): string {
  const texts = Object.entries(settings).map(([name, value]) => {
    if (name === 'units' || name === 'filters') return ''
    if (name === 'activation') return String(value)
    return `${name} ${[value].flat().join(name === 'with' ? ' and ' : 'x')}`
  })
  return texts.filter((text) => text !== '').join(', ')
}

function classesText(classes: readonly string[]): string {
  const shown = classes.slice(0, CLASSES_SHOWN_MAX).join(', ')
  const more = classes.length - CLASSES_SHOWN_MAX
  return `${classes.length}: ${shown}${more > 0 ? ` and ${more} more` : ''}`
}

function scalingText(scaling: Scaling | null): string {
  if (scaling === null) return 'none'
  const spread = (numbers: ArrayLike<number>): string => {
    const all = Array.from(numbers)
    const [least, most] = all.reduce(
      ([low, high], one) => [Math.min(low, one), Math.max(high, one)],
      [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    )
    const text = (number: number): string => String(Number(number.toPrecision(4)))
    return least === most ? text(least) : `${text(least)} to ${text(most)}`
  }
  return `(raw - offset) * scale, offset ${spread(scaling.offset)}, scale ${spread(scaling.scale)}`
}
