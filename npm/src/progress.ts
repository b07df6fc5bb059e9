/**
 * Progress on stderr for anything that takes longer than a second.
 *
 * On a terminal one line is rewritten in place, with a carriage return and blanks only, so that
 * no escape sequence is ever written. Elsewhere a plain line appears now and then.
 */
import type { TextStream } from './output.js'

/** Nothing is shown for work that is over by then. */
const SHOW_AFTER_MS = 1_000
/** Often enough to look alive on a terminal. */
const REDRAW_MS = 100
/** Rare enough not to fill a log file. */
const PLAIN_LINE_MS = 5_000
/** Characters of the bar itself. */
const BAR_WIDTH = 24
/** Width of a terminal that does not say. */
const COLUMNS_DEFAULT = 80

/** One piece of work of known length. */
export class Progress {
  readonly #stream: TextStream
  readonly #label: string
  readonly #total: number
  readonly #enabled: boolean
  readonly #now: () => number
  readonly #startedMs: number
  #lastMs: number
  #lastDone = 0
  #drawnWidth = 0

  constructor(
    stream: TextStream,
    label: string,
    total: number,
    enabled = true,
    now: () => number = () => performance.now(),
  ) {
    this.#stream = stream
    this.#label = label
    this.#total = total
    this.#enabled = enabled
    this.#now = now
    this.#startedMs = now()
    this.#lastMs = Number.NEGATIVE_INFINITY
  }

  /** Says how much is done and, in a few words, what is known by now. */
  update(done: number, detail = ''): void {
    const now = this.#now()
    if (!this.#enabled || now - this.#startedMs < SHOW_AFTER_MS) return
    const interval = this.#stream.isTTY === true ? REDRAW_MS : PLAIN_LINE_MS
    const last = done >= this.#total && this.#lastDone < this.#total
    if (now - this.#lastMs < interval && !last) return
    this.#lastMs = now
    this.#lastDone = done
    if (this.#stream.isTTY === true) this.#draw(barLine(this.#label, done, this.#total, detail))
    else
      this.#stream.write(
        `${[`${this.#label}:`, `${done}/${this.#total}`, detail].join(' ').trimEnd()}\n`,
      )
  }

  /** Ends the line, leaving what was last shown. */
  end(): void {
    if (this.#drawnWidth > 0) this.#stream.write('\n')
    this.#drawnWidth = 0
  }

  #draw(line: string): void {
    const width = (this.#stream.columns ?? COLUMNS_DEFAULT) - 1
    const text = line.slice(0, width)
    this.#stream.write(`\r${text.padEnd(this.#drawnWidth)}`)
    this.#drawnWidth = text.length
  }
}

/** Shows how long work of unknown length has taken, while it goes on. */
export async function patiently<T>(
  stream: TextStream,
  label: string,
  work: () => Promise<T>,
  enabled = true,
): Promise<T> {
  if (!enabled) return work()
  const startedMs = performance.now()
  const isTerminal = stream.isTTY === true
  const show = (): void => {
    const text = `${label}: ${Math.round((performance.now() - startedMs) / 1_000)} s`
    stream.write(isTerminal ? `\r${text}` : `${text}\n`)
  }
  let repeat: NodeJS.Timeout | undefined
  const first = setTimeout(() => {
    show()
    repeat = setInterval(show, isTerminal ? SHOW_AFTER_MS : PLAIN_LINE_MS)
  }, SHOW_AFTER_MS)
  try {
    return await work()
  } finally {
    clearTimeout(first)
    clearInterval(repeat)
    if (isTerminal && repeat !== undefined) stream.write('\n')
  }
}

/** The text of a bar, without any control character. */
export function barLine(label: string, done: number, total: number, detail: string): string {
  const share = total > 0 ? Math.min(1, done / total) : 0
  const filled = Math.round(share * BAR_WIDTH)
  const bar = '#'.repeat(filled) + '-'.repeat(BAR_WIDTH - filled)
  return `${label} [${bar}] ${done}/${total} ${detail}`.trimEnd()
}
