/** Rows of `npm run bench:net`: figures with units, ratios, goals, and the table that they make. */

const sorted = (values) => values.toSorted((a, b) => a - b)

/** The value below which this share (0 to 1) of the values lies. */
export function quantile(values, share) {
  const all = sorted(values)
  return all[Math.min(all.length - 1, Math.floor(all.length * share))]
}

export const median = (values) => quantile(values, 0.5)

const whole = (value) => Math.round(value).toLocaleString('en')
const short = (value) => (Math.abs(value) < 10 ? value.toFixed(1) : whole(value))

/** How a value is written, by the name of its unit; what is better, less of it or more. */
const UNITS = {
  ms: { text: (value) => `${short(value)} ms`, less: true },
  'MB/s': { text: (value) => `${short(value)} MB/s`, less: false },
  'per second': { text: (value) => `${whole(value)} per second`, less: false },
  MiB: { text: (value) => `${short(value)} MiB`, less: true },
  '%': { text: (value) => `${value.toFixed(1)} %`, less: true },
  count: { text: whole, less: false },
}

/**
 * A row. `ours` and `theirs` have a figure for each turn, or nothing; their medians are shown, and
 * of each turn how many times better ours was.
 *
 * @param {{ what: string, unit: string, ours: readonly number[], theirs?: readonly number[],
 *   goal?: number, beats?: boolean, isBound?: boolean }} row `goal` is that of the median, in the
 *   unit; with `beats`, ours is to be no worse than theirs; a bound cannot show a miss
 */
export function row({ what, unit, ours, theirs = [], goal, beats = false, isBound = false }) {
  const { text, less } = UNITS[unit]
  const ratios = theirs.map((their, turn) => (less ? their / ours[turn] : ours[turn] / their))
  const value = median(ours)
  const missed = isBound ? 'not shown' : 'missed'
  const judged = []
  if (goal !== undefined) {
    judged.push([`${less ? '<=' : '>='} ${text(goal)}`, less ? value <= goal : value >= goal])
  }
  if (beats) judged.push(['ratio >= 1', ratios.length > 0 && median(ratios) >= 1])
  const goals = judged.map(([wanted, isMet]) => `${wanted}: ${isMet ? 'met' : missed}`)
  return [
    what,
    text(value),
    theirs.length > 0 ? text(median(theirs)) : '',
    spread(ratios),
    goals.join('; '),
  ]
}

/** The median of ratios, and all of them. */
export function spread(ratios) {
  if (ratios.length === 0) return ''
  const all = sorted(ratios).map((ratio) => ratio.toFixed(2))
  return `${median(ratios).toFixed(2)} (${all.join(', ')})`
}

export const HEAD = ['what', 'ours', 'js-libp2p', 'times better, each turn', 'goal']

/** Rows in Markdown. */
export const lines = (rows) => rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
