/** The graph of vertices as lines of text, and in the language of Graphviz. */
import { shortId } from '../output.js'
import { shortRunId } from '../run-name.js'
import type { DagEntry } from '../wasm.js'

/** More authors than this share the last column. */
const LANES_MAX = 24

/**
 * A line for each vertex, newest first: a column for each author, the parents that are among these
 * vertices by the number of lines below, `+` and their number where there are others.
 */
export function graphText(entries: readonly DagEntry[]): string {
  const authors = [...new Set(entries.map(({ author }) => author))]
  const lineOf = new Map(entries.map(({ id }, line) => [id, line]))
  const width = Math.min(authors.length, LANES_MAX)
  return entries
    .map(({ id, author, kinds, parents }, line) => {
      const own = Math.min(authors.indexOf(author), LANES_MAX - 1)
      const lanes = Array.from({ length: width }, (_, lane) => (lane === own ? '*' : '|'))
      const below = parents.flatMap((parent) => {
        const at = lineOf.get(parent)
        return at === undefined ? [] : [at - line]
      })
      const others = parents.length - below.length
      const links = below.sort((a, b) => a - b).map((lines) => `-${lines}`)
      if (others > 0) links.push(`+${others}`)
      return [lanes.join(' '), shortRunId(id), shortId(author), kinds.join(','), links.join(' ')]
        .join('  ')
        .trimEnd()
    })
    .join('\n')
}

/** A digraph from children to parents; a box for each vertex, coloured by its author. */
export function graphDot(entries: readonly DagEntry[]): string {
  const authors = [...new Set(entries.map(({ author }) => author))]
  const known = new Set(entries.map(({ id }) => id))
  const boxes = entries.map(({ id, author, seq, kinds }) => {
    const hue = ((authors.indexOf(author) * 0.618034) % 1).toFixed(3)
    const label = `${shortRunId(id)}\\n${shortId(author)} ${seq}\\n${kinds.join(', ')}`
    return `  "${id}" [label="${label}", fillcolor="${hue} 0.25 1"];`
  })
  const edges = entries.flatMap(({ id, prev, parents }) =>
    parents
      .filter((parent) => known.has(parent))
      .map((parent) => `  "${id}" -> "${parent}"${parent === prev ? ' [style=bold]' : ''};`),
  )
  const head = ['digraph dag {', '  rankdir=LR;', '  node [shape=box, style=filled];']
  return [...head, ...boxes, ...edges, '}'].join('\n')
}
