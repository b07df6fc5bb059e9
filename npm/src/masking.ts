/**
 * Sums of which nobody sees the parts: what users give about secure aggregation, completed and
 * checked. `docs/learning.md` has what it hides, from whom, and what it costs.
 */
import type { AggregationRequest } from './aggregation.js'
import { usageError } from './errors.js'
import type { Masking } from './wasm.js'

/** Of a sum of two updates either member would know the other's. */
const MEMBERS_MIN = 3
/** As the core's bound on members that mask for each other. */
const MEMBERS_MAX = 64
/** What larger values are cut to: far more than training changes in a round. */
const CLIP = 16
/** More than two thirds of a member's holders open its secrets. */
const THRESHOLD = 66

/** Secure aggregation, as users give it. */
export interface MaskingRequest {
  /** Whether updates are masked, so that nobody sees more than their sum; not unless given. */
  readonly secureAggregation?: boolean
}

/** What else is asked for beside it, as far as it matters. */
interface Beside extends AggregationRequest {
  readonly updatesMin?: number
  readonly reference?: unknown
  readonly compression?: unknown
  readonly commitReveal?: boolean
}

/** The masking of a run, nothing for none. */
export function completeMasking(
  { secureAggregation = false }: MaskingRequest,
  beside: Beside,
): Masking | undefined {
  if (!secureAggregation) return undefined
  const { rule = 'auto', byzantine, radius, mixing, updatesMin } = beside
  const isRuled = (byzantine ?? 0) > 0 || radius !== undefined || mixing === true
  if ((rule !== 'auto' && rule !== 'mean') || beside.reference !== undefined || isRuled) {
    throw usageError(
      'a rule against hostile members compares single updates, which secure aggregation hides',
      'take the mean, or leave --secure-aggregation out: it is the one or the other',
    )
  }
  if (beside.compression !== undefined && beside.compression !== 'none') {
    throw usageError(
      'masked updates are random words, which nothing compresses',
      'leave --compression or --secure-aggregation out',
    )
  }
  if (beside.commitReveal === true) {
    throw usageError(
      'masks hide updates until the round is closed: there is nothing to commit to',
      'leave --commit-reveal or --secure-aggregation out',
    )
  }
  if (updatesMin !== undefined && (updatesMin < MEMBERS_MIN || updatesMin > MEMBERS_MAX)) {
    throw usageError(
      `rounds that close with ${updatesMin} updates cannot be masked`,
      `give --min-updates ${MEMBERS_MIN} to ${MEMBERS_MAX}: of two updates either tells the other`,
    )
  }
  return { clip: CLIP, threshold: THRESHOLD }
}

/** A request as the rest completes it: with masks it is the mean, of three or more. */
export function withMasks<T extends MaskingRequest & Beside>(request: T): T {
  if (request.secureAggregation !== true) return request
  return { ...request, rule: 'mean', updatesMin: request.updatesMin ?? MEMBERS_MIN }
}

/** Who sees updates, for people. */
export function maskingText(masking: Masking | null): string {
  if (masking === null) return 'all members'
  const { threshold, clip } = masking
  const third = 2 * threshold - 100
  const liars = `unless over ${third} % of members lie, of three one (experimental)`
  return `nobody, ${liars}; values are cut to ${clip}`
}
