/** `dag log`: vertices of the history, newest first. */
import type { Context } from '../context.js'
import { columns, shortId, timeText } from '../output.js'
import { shortRunId } from '../run-name.js'
import { withHistory } from './dag-open.js'

/** Options of `dag log`. */
export interface LogOptions {
  readonly limit: number
  readonly author?: string
}

/** Lists the vertices. */
export async function run(context: Context, { limit, author }: LogOptions): Promise<void> {
  await withHistory(context, (history) => {
    const vertices = [...history.log({ limit, author })]
    context.output.result(vertices, () => {
      const rows = vertices.map((one) => [
        shortRunId(one.id),
        timeText(one.timeMs).slice(0, 19),
        shortId(one.author),
        String(one.seq),
        one.kinds.join(', '),
        String(one.parents.length),
      ])
      return columns([['vertex', 'time (UTC)', 'author', 'seq', 'says', 'parents'], ...rows])
    })
  })
}
