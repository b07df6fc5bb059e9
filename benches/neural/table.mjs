// Figures as text, and the one table.

const HEADERS = ['work', 'ours', 'peer', "peer's", 'ratio', 'goal']

const digits = (value) => (value >= 100 ? 0 : value >= 10 ? 1 : 2)
const grouped = (value, places) =>
  value.toLocaleString('en', { minimumFractionDigits: places, maximumFractionDigits: places })

/** How figures of a kind are told. */
export const units = {
  microseconds: (value) =>
    value < 0.1 ? `${grouped(value * 1000, 1)} ns` : `${grouped(value, digits(value))} us`,
  milliseconds: (value) => `${grouped(value / 1000, 1)} ms`,
  bytes: (value) => `${grouped(value / 1000, 1)} kB`,
  share: (value) => value.toFixed(3),
  times: (value) => `${grouped(value, 2)} x its parameters`,
}

const spread = ({ median, min, max }) =>
  [median, min, max].map((value) => grouped(value, digits(value)))

export const ratioText = (ratio) => {
  const [median, min, max] = spread(ratio)
  return `${median} (${min}-${max})`
}

/** Whether a figure is at most, or at least, what it shall be. */
export const goalText = (value, goal, { atLeast = false, unit }) => {
  if (goal === undefined || goal === null) return ''
  const met = atLeast ? value >= goal : value <= goal
  return `${atLeast ? '>=' : '<='} ${unit ? unit(goal) : goal}: ${met ? 'met' : 'missed'}`
}

/** Rows to a Markdown table, or to columns for a terminal. A row with a note has no figures. */
export function tableOf(rows, markdown) {
  const cells = rows.map((row) => [
    row.work,
    row.ours ?? '',
    row.peer ?? '',
    row.note ?? row.theirs ?? '',
    row.ratio ?? '',
    row.goal ?? '',
  ])
  if (markdown) {
    const line = (words) => `| ${words.map((word) => word.replaceAll('|', '\\|')).join(' | ')} |`
    return [line(HEADERS), `|${'---|'.repeat(HEADERS.length)}`, ...cells.map(line)].join('\n')
  }
  // A note may be longer than a column: it does not widen it.
  const widths = HEADERS.map((header, column) =>
    Math.max(
      header.length,
      ...cells.filter((_, row) => column !== 3 || !rows[row].note).map((row) => row[column].length),
    ),
  )
  const line = (words) => words.map((word, column) => word.padEnd(widths[column])).join('  ')
  return [HEADERS, ...cells].map((words) => line(words).trimEnd()).join('\n')
}
