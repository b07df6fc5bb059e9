/** `dag stats`: the history in figures. */
import type { Context } from '../context.js'
import { bytesText, columns, timeText } from '../output.js'
import { withHistory } from './dag-open.js'

/** Prints the figures. */
export async function run(context: Context): Promise<void> {
  await withHistory(context, (history) => {
    const stats = history.stats()
    const damaged = history.damaged.length
    const equivocations = stats.authors.filter((one) => one.equivocated !== null).length
    context.output.result({ ...stats, damaged, equivocations }, () => {
      const facts = [
        ['vertices', `${stats.vertices} (${bytesText(stats.bytes)}), ${stats.heads} heads`],
        ['authors', `${stats.authors.length}, of whom ${equivocations} equivocated`],
        ['damaged', `${damaged} records`],
        ...Object.entries(stats.kinds).map(([kind, count]) => [kind, String(count)]),
      ]
      const rows = stats.authors.map((one) => [
        one.author,
        String(one.vertices),
        bytesText(one.bytes),
        timeText(one.latestMs).slice(0, 19),
      ])
      const table = columns([['author', 'vertices', 'bytes', 'latest (UTC)'], ...rows])
      return [columns(facts), '', table].join('\n')
    })
  })
}
