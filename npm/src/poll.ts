/**
 * Looking again at what no event tells of: that a checkpoint came up.
 */
import { toSynapticError } from './errors.js'

/** Checkpoints come every ten seconds at most. */
const LOOK_MS = 500

/**
 * What `look` gives. While it throws an error with the code `notYet` it is asked again, until
 * `untilMs`, a time of the clock; then that error is thrown.
 */
export async function looked<T>(
  untilMs: number,
  notYet: string,
  look: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await look()
    } catch (thrown) {
      const error = toSynapticError(thrown)
      if (error.code !== notYet || Date.now() >= untilMs) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
