/**
 * How the members of a run hide their rows: what users give, completed and checked.
 *
 * Every update is shortened to `clip` and gets noise of `noise` times that length on each value,
 * before anybody else sees it. `docs/learning.md` has what it costs and what it promises.
 */
import { usageError } from './errors.js'
import type { Privacy, PrivacyView } from './wasm.js'

/** As the core's bounds. */
const NOISE_MIN = 0.01
const NOISE_MAX = 1_000
const CLIP_MIN = 1e-6
const CLIP_MAX = 1e6
const DELTA_MAX = 0.01
/** What is told of privacy is told at this delta: less than one of a hundred thousand people. */
const DELTA_DEFAULT = 1e-5

/** How rows are hidden, as users give it. */
export interface PrivacyRequest {
  /** Standard deviation of the noise on each value of an update, in units of `clip`; 0.01 to 1000. */
  readonly noise?: number
  /** Length to which updates are shortened; needed with `noise`. */
  readonly clip?: number
  /** The delta at which epsilon is told; 0.00001 unless given. */
  readonly delta?: number
}

/** The noise of a run, nothing for none. */
export function completePrivacy({ noise, clip, delta }: PrivacyRequest): Privacy | undefined {
  if (noise === undefined) {
    if (clip === undefined && delta === undefined) return undefined
    throw usageError('without noise nothing is hidden', 'add --noise, or leave the others out')
  }
  if (clip === undefined) {
    throw usageError('noise is told in lengths of an update', 'add --clip, such as --clip 1')
  }
  check('noise', noise, NOISE_MIN, NOISE_MAX)
  // What noise of six standard deviations makes of a value is still an update's.
  check('clip', clip, CLIP_MIN, CLIP_MAX / (1 + 6 * noise))
  check('delta', delta ?? DELTA_DEFAULT, 0, DELTA_MAX)
  return { clip, noise, delta: delta ?? DELTA_DEFAULT }
}

/** How rows are hidden and how well, for people. */
export function privacyText(privacy: PrivacyView | null): string {
  if (privacy === null) return 'not hidden'
  const { clip, noise, delta, epsilon } = privacy
  const promise = `epsilon ${figure(epsilon)} at delta ${figure(delta)} after all rounds`
  return `noise of ${figure(noise)} times a length of ${figure(clip)}: ${promise}`
}

/** How much of it this node's updates have told, for a table. */
export function spentText(privacy: PrivacyView | null): string {
  return privacy === null ? '-' : `${figure(privacy.spent)} of ${figure(privacy.epsilon)}`
}

/** Three digits are more than anybody can make use of, and single precision shows no more. */
function figure(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function check(name: string, value: number, min: number, max: number): void {
  const sent = Math.fround(value)
  if (sent > 0 && value >= min && value <= max) return
  throw usageError(
    `${name} is ${value}`,
    `give a number from ${min === 0 ? 'over 0' : min} to ${figure(max)}`,
  )
}
