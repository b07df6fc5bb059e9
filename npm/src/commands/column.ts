import type { Output } from '../output.js'

/** A column as users name it: a number from 0, or a name from the header. */
export function columnOf(text: string): string | number {
  return /^\d{1,6}$/.test(text) ? Number(text) : text
}

/** Columns separated by commas; one whose name has a comma is called by its number. */
export function columnsOf(text: string): (string | number)[] {
  return text.split(',').map((one) => columnOf(one.trim()))
}

/** Tells which columns of a table a model did not look at. */
export function noteIgnored(output: Output, ignored: readonly string[]): void {
  if (ignored.length === 0) return
  const what = ignored.length === 1 ? 'a column' : 'columns'
  output.note(`left out ${what} that the model does not take: ${ignored.join(', ')}`)
}
