/**
 * What a command says, and where.
 *
 * stdout carries the result and nothing else; stderr carries notes, warnings and progress. With
 * `--json` stdout is one document, or one JSON object per line for commands that stream.
 */
import { styleText } from 'node:util'
import type { Problem, SynapticError } from './errors.js'

/** When to colour. */
export type ColourChoice = 'auto' | 'always' | 'never'

/** Styles used by the program, as node:util names them. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** Puts a style around a text, or leaves the text alone where colour is off. */
export type Paint = (style: Style, text: string) => string

/** A stream that may be a terminal. */
export interface TextStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

/** How output is made; the streams are arguments so that tests can look at them. */
export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  readonly colour: ColourChoice
  readonly stdout: TextStream
  readonly stderr: TextStream
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * Whether to colour a stream: the flag, then NO_COLOR, then FORCE_COLOR, then whether the stream
 * is a terminal that understands escape sequences.
 */
export function wantsColour(
  choice: ColourChoice,
  env: OutputOptions['env'],
  stream: TextStream,
): boolean {
  if (choice !== 'auto') return choice === 'always'
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '') return env.FORCE_COLOR !== '0'
  return stream.isTTY === true && env.TERM !== 'dumb'
}

function painter(colour: boolean): Paint {
  return (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text)
}

/** JSON of any value the program prints: 64-bit integers become decimal text. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) =>
    typeof entry === 'bigint' ? entry.toString() : entry,
  )
}

const ESCAPE = String.fromCharCode(0x1b)
/** What a terminal obeys instead of showing it, but for line ends, tabs and our own colours. */
const OBEYED = new RegExp(`(?![\\n\\t]|${ESCAPE}\\[[\\d;]*m)\\p{Cc}|\\p{Bidi_Control}`, 'gu')

/**
 * A text for a terminal. Names, memos and tasks are other people's words; none of them may move the
 * cursor or turn the direction of a line, so that a payee or a sum seems to be another.
 */
export function harmless(text: string): string {
  return text.replace(OBEYED, codeOf)
}

/** The same for a text that stays on one line and has no colours. */
export function harmlessLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, codeOf)
}

function codeOf(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`
}

/** What becomes of the process when its output cannot be written. */
export const outlet = {
  /** Whether it ends; a node that serves goes on, as its work is elsewhere. */
  isVital: true,
}

/** The two streams of one command. */
export class Output {
  readonly json: boolean
  readonly verbose: boolean
  readonly stderr: TextStream
  /** Whether notes and progress are shown. */
  readonly talkative: boolean
  /** Style for stdout. */
  readonly paint: Paint
  /** Style for stderr. */
  readonly paintNote: Paint
  readonly #stdout: TextStream

  constructor(options: OutputOptions) {
    this.json = options.json
    this.verbose = options.verbose
    this.talkative = !options.quiet
    this.stderr = options.stderr
    this.#stdout = options.stdout
    this.paint = painter(wantsColour(options.colour, options.env, options.stdout))
    this.paintNote = painter(wantsColour(options.colour, options.env, options.stderr))
  }

  /** The result of a command: a document for programs, or text for people. */
  result(data: unknown, text: (paint: Paint) => string): void {
    this.#line(this.json ? toJson({ ok: true, data }) : text(this.paint))
  }

  /** One element of a stream. */
  event(event: string, data: unknown, text?: (paint: Paint) => string | undefined): void {
    if (this.json) {
      this.#line(toJson({ event, data }))
    } else {
      const line = text?.(this.paint)
      if (line !== undefined) this.#line(line)
    }
  }

  /** Something worth knowing that is not the result. */
  note(text: string): void {
    if (this.talkative) this.stderr.write(`${harmless(text)}\n`)
  }

  /** Something that may need attention. */
  warn(text: string, hint = ''): void {
    this.#complain('yellow', 'warning:', text, hint)
  }

  /** The end of a command that failed; `data` is what is known in spite of it. */
  fail(error: SynapticError, data?: unknown): void {
    const problem: Problem = error.toProblem()
    if (this.json) {
      this.#line(toJson({ ok: false, ...(data === undefined ? {} : { data }), error: problem }))
      return
    }
    this.#complain('red', 'error:', problem.message, problem.hint)
    if (this.verbose && error.cause !== undefined) {
      const { cause } = error
      this.stderr.write(`${cause instanceof Error ? cause.stack : toJson(cause)}\n`)
    }
  }

  #complain(style: Style, word: string, text: string, hint: string): void {
    this.stderr.write(`${this.paintNote(style, word)} ${harmless(text)}\n`)
    if (hint !== '') this.stderr.write(`  ${harmless(hint)}\n`)
  }

  #line(text: string): void {
    this.#stdout.write(`${this.json ? text : harmless(text)}\n`)
  }
}

const NUMBER = /^-?[\d.,]+ ?(%|B|KB|MB|ms|s)?$/

/** Rows as aligned columns; columns of numbers to the right, with their heading. */
export function columns(rows: readonly (readonly string[])[]): string {
  const count = Math.max(0, ...rows.map((row) => row.length))
  const shapes = Array.from({ length: count }, (_, index) => {
    const cells = rows.map((row) => row[index] ?? '')
    const values = cells.slice(1).filter((cell) => cell !== '')
    return {
      width: Math.max(...cells.map((cell) => cell.length)),
      toTheRight: values.length > 0 && values.every((cell) => NUMBER.test(cell)),
    }
  })
  const line = (row: readonly string[]): string =>
    shapes
      .map(({ width, toTheRight }, index) => {
        const cell = row[index] ?? ''
        return toTheRight ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  return rows.map(line).join('\n')
}

/** A share of one as a percentage with one decimal. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

/** A duration in a unit that suits it. */
export function durationText(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 100 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`
}

/** Millionths of a credit as credits. */
export function creditsText(microCredits: number): string {
  const digits = String(microCredits).padStart(7, '0')
  return `${digits.slice(0, -6)}.${digits.slice(-6)}`
}

/** A number of bytes in a unit that suits it. */
export function bytesText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} KB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** A moment as its author says it, who may say anything: dates end before numbers do. */
export function timeText(unixMs: number): string {
  const time = new Date(unixMs)
  return Number.isNaN(time.getTime()) ? 'at no date' : time.toISOString()
}

/** A number and the word for what is counted. */
export function counted(many: number, one: string, several = `${one}s`): string {
  return `${many} ${many === 1 ? one : several}`
}

/** Enough of an id to tell members of one mesh apart. */
export function shortId(id: string): string {
  return id.slice(0, 10)
}
