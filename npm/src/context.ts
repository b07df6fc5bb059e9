/** What every command gets: where it works, how it speaks, and when to give up. */
import type { SynapticError } from './errors.js'
import type { Home, Surroundings } from './home.js'
import type { Output } from './output.js'

/** The surroundings of one command. */
export interface Context {
  readonly output: Output
  readonly home: Home
  readonly around: Surroundings
  /** Aborted by the first SIGINT or SIGTERM; its reason is a `SynapticError`. */
  readonly signal: AbortSignal
}

/** A command's module: it resolves to an exit code, or to anything else for success. */
export interface CommandModule<Options> {
  /** Whether it hears `signal` itself and ends in order; any other command is just left. */
  readonly endsItself?: boolean
  run(context: Context, options: Options, ...positional: string[]): Promise<unknown>
}

/** Rejects once the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason as SynapticError)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
