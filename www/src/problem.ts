/**
 * What can go wrong, in one shape: a stable code, one clear sentence, and what to do next.
 *
 * Every layer of the dashboard throws `Failure`; the node throws plain `{code, message, hint}` objects
 * over the wasm boundary; browsers throw `DOMException`. `toProblem` reads all three, so that what a
 * user sees never depends on where it came from.
 */

/** One thing to tell the user. It is plain data: it crosses workers and is kept in state. */
export interface Problem {
  readonly code: string
  readonly message: string
  readonly hint: string
}

/** An error that carries a `Problem`. */
export class Failure extends Error {
  readonly problem: Problem

  constructor(code: string, message: string, hint: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'Failure'
    this.problem = { code, message, hint }
  }
}

/** Reads any thrown value as a `Problem`. Never throws itself. */
export function toProblem(thrown: unknown, code = 'unexpected'): Problem {
  if (thrown instanceof Failure) return thrown.problem
  if (isProblem(thrown)) {
    return { code: thrown.code, message: thrown.message, hint: thrown.hint ?? '' }
  }
  if (nameOf(thrown) === 'QuotaExceededError') {
    return {
      code: 'storage-full',
      message: 'This browser gives the page no more storage, so the last step was not kept.',
      hint: 'Free disk space or clear data of other sites, then reload this tab.',
    }
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return {
    code,
    message: message === '' ? 'Something failed without saying why.' : message,
    hint: 'Reload the tab; if it happens again, run `npx synaptic-mesh doctor` on the serving node.',
  }
}

function isProblem(value: unknown): value is { code: string; message: string; hint?: string } {
  if (typeof value !== 'object' || value === null) return false
  const { code, message, hint } = value as Record<string, unknown>
  return (
    typeof code === 'string' &&
    typeof message === 'string' &&
    (hint === undefined || typeof hint === 'string')
  )
}

function nameOf(value: unknown): string {
  return typeof value === 'object' && value !== null && 'name' in value ? String(value.name) : ''
}
