/**
 * Updates that lie, as hostile members of the field's experiments send them: to see in a network of
 * one's own what the rule of a run does with them. The tables of `docs/learning.md` have the same
 * kinds, and ALIE, which needs the other updates of a round and is not made here.
 */
import { usageError } from './errors.js'

/** How a member lies. */
export const ATTACKS = ['sign-flip', 'noise', 'label-flip'] as const

/** One of them. */
export type Attack = (typeof ATTACKS)[number]

/** A sign flip sends its own update times this. */
const SIGN_FLIP = -10

/**
 * Checks the name of an attack.
 *
 * @throws SynapticError `usage`
 */
export function checkAttack(attack: string | undefined): Attack | undefined {
  if (attack === undefined) return undefined
  const found = ATTACKS.find((one) => one === attack)
  if (found !== undefined) return found
  throw usageError(`unknown attack "${attack}"`, `use ${ATTACKS.join(', ')}`)
}

/** The classes by which a member learns: a label flip takes the last for the first. */
export function taughtClasses(attack: Attack | undefined, classes: readonly string[]): string[] {
  return attack === 'label-flip' ? classes.toReversed() : [...classes]
}

/** What is sent instead of an update: little-endian `f32`, as it came. */
export function sentDelta(attack: Attack | undefined, delta: Uint8Array): Uint8Array {
  if (attack !== 'sign-flip' && attack !== 'noise') return delta
  const sent = delta.slice()
  const view = new DataView(sent.buffer, sent.byteOffset, sent.byteLength)
  for (let at = 0; at + 4 <= sent.byteLength; at += 4) {
    const value = attack === 'noise' ? normal() : SIGN_FLIP * view.getFloat32(at, true)
    view.setFloat32(at, value, true)
  }
  return sent
}

/** A draw of the standard normal distribution (Box and Muller). */
function normal(): number {
  const radius = Math.sqrt(-2 * Math.log(1 - Math.random()))
  return radius * Math.cos(2 * Math.PI * Math.random())
}
