/** `dag graph`: the newest vertices and what they follow. */
import type { Context } from '../context.js'
import { graphDot, graphText } from '../dag/graph.js'
import { withHistory } from './dag-open.js'

/** Options of `dag graph`. */
export interface GraphOptions {
  readonly limit: number
  readonly format: 'text' | 'dot'
}

/** Draws them. */
export async function run(context: Context, { limit, format }: GraphOptions): Promise<void> {
  await withHistory(context, (history) => {
    const vertices = [...history.log({ limit })]
    const draw = format === 'dot' ? graphDot : graphText
    context.output.result(vertices, () => draw(vertices))
  })
}
