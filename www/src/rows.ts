/**
 * A first look at a picked CSV: what a person wants to see at once (rows, columns, labels), before
 * any run says how the file is to be read.
 *
 * The parsing that counts, with its exact errors, is the `neural` artifact's. Linear in the text,
 * bounded by `ROWS_BYTES_MAX`.
 */
import { Failure } from './problem.ts'

/** Bytes of a picked file: what one tab can hold twice (file and parsed) without trouble. */
export const ROWS_BYTES_MAX = 64 * 1024 * 1024
/** Distinct labels shown as a bar each; beyond that a picture says nothing. */
export const LABELS_MAX = 24

/** What a picked file looks like. `labels` is null where the last column is not a label. */
export interface Survey {
  readonly rows: number
  readonly columns: number
  readonly header: boolean
  readonly labels: readonly { readonly label: string; readonly count: number }[] | null
}

/**
 * Counts rows, columns and labels (last column) of a CSV.
 *
 * @throws Failure `csv-*` with the row number of the first line that does not fit.
 */
export function survey(bytes: Uint8Array): Survey {
  if (bytes.length > ROWS_BYTES_MAX) {
    throw new Failure(
      'csv-too-large',
      `This file has ${Math.ceil(bytes.length / 2 ** 20)} MiB; ${ROWS_BYTES_MAX / 2 ** 20} are allowed.`,
      'Pick a part of it: a tab contributes with what fits in its memory.',
    )
  }
  const lines = linesOf(decode(bytes))
  const first = lines[0]
  if (first === undefined) {
    throw new Failure(
      'csv-empty',
      'This file holds no rows.',
      'Pick a CSV with one example per line.',
    )
  }
  const columns = cellsOf(first.text).length
  const header = isHeader(cellsOf(first.text), cellsOf(lines[1]?.text ?? ''))
  const counts = new Map<string, number>()
  for (const { text, number } of header ? lines.slice(1) : lines) {
    const cells = cellsOf(text)
    if (cells.length !== columns) throw ragged(number, cells.length, columns)
    const label = cells.at(-1) ?? ''
    if (counts.size <= LABELS_MAX) counts.set(label, (counts.get(label) ?? 0) + 1)
  }
  const rows = lines.length - (header ? 1 : 0)
  if (rows === 0) {
    throw new Failure(
      'csv-empty',
      'This file holds a header and no rows.',
      'Pick a CSV with examples.',
    )
  }
  return { rows, columns, header, labels: labelsOf(counts) }
}

/** The first line names the columns if at least half of them turn from text into numbers below it. */
function isHeader(first: readonly string[], second: readonly string[]): boolean {
  const turned = first.filter((cell, index) => !isNumber(cell) && isNumber(second[index] ?? ''))
  return turned.length * 2 >= first.length || (second.length < 2 && !first.some(isNumber))
}

function labelsOf(counts: Map<string, number>): Survey['labels'] {
  if (counts.size > LABELS_MAX) return null
  const labels = [...counts].map(([label, count]) => ({ label, count }))
  return labels.sort((a, b) => a.label.localeCompare(b.label, 'en', { numeric: true }))
}

function ragged(row: number, found: number, columns: number): Failure {
  return new Failure(
    'csv-ragged',
    `Line ${row} has ${found} columns; the first line has ${columns}.`,
    'Mend that line, or save the table again as CSV, then pick the file again.',
  )
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Failure(
      'csv-not-text',
      'This file is not UTF-8 text.',
      'Save the table as CSV (UTF-8) and pick that file.',
      cause,
    )
  }
}

/** Lines that hold rows, with their place in the text (from 1); `#` begins a comment. */
function linesOf(text: string): { text: string; number: number }[] {
  return text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .map((line, index) => ({ text: line.trim(), number: index + 1 }))
    .filter((line) => line.text !== '' && !line.text.startsWith('#'))
}

/** Splits one line at the separator it has most of; a cell in double quotes may hold it. */
function cellsOf(line: string): string[] {
  const found = [',', ';', '\t'].map((char) => ({ char, times: line.split(char).length - 1 }))
  const most = found.reduce((best, next) => (next.times > best.times ? next : best))
  const separator = most.times === 0 ? undefined : most.char
  if (separator === undefined) return line.split(/\s+/)
  if (!line.includes('"')) return line.split(separator).map((cell) => cell.trim())
  const cells: string[] = ['']
  let quoted = false
  for (const char of line) {
    if (char === '"') quoted = !quoted
    else if (char === separator && !quoted) cells.push('')
    else cells.push((cells.pop() ?? '') + char)
  }
  return cells.map((cell) => cell.trim())
}

function isNumber(cell: string): boolean {
  return cell !== '' && Number.isFinite(Number(cell))
}
