/** `dag show`: one vertex with everything in it. */
import type { Context } from '../context.js'
import { bytesText, columns, timeText, toJson } from '../output.js'
import { withHistory } from './dag-open.js'

/** Shows the vertex. */
export async function run(context: Context, _options: object, id = ''): Promise<void> {
  await withHistory(context, (history) => {
    const vertex = history.show(id)
    context.output.result(vertex, () => {
      const { author, seq, prev, parents, children, lamport, timeMs, size } = vertex
      const facts = [
        ['vertex', vertex.id],
        ['author', vertex.equivocated === null ? author : `${author}, who equivocated`],
        ['position', `${seq} of its chain`],
        ['time', `${timeText(timeMs)}, as it says; Lamport ${lamport}`],
        ['size', bytesText(size)],
        ['before it', prev ?? 'nothing: it begins the chain'],
        ...parents.map((parent) => ['parent', parent]),
        ...children.map((child) => ['child', child]),
      ]
      const says = JSON.stringify(JSON.parse(toJson(vertex.content)), undefined, 2)
      return `${columns(facts)}\n\n${says}`
    })
  })
}
