/**
 * How the updates of a round become one: what users give, completed and checked.
 *
 * A rule holds against `byzantine` hostile updates of a round only among as many as it needs, so
 * what closes a round is never less. That is why `auto` takes the mean for runs whose rounds may
 * close with two or three updates: with two, nobody can tell which one lies. From four on it takes
 * centered clipping, which costs least where members' rows differ (`docs/learning.md`).
 */
import { usageError } from './errors.js'
import type { Aggregation, Rule } from './wasm.js'

/** Rules by name, and how many updates one needs: `times` each hostile one, and `more`. */
const NEEDS: Readonly<Record<Rule, { readonly times: number; readonly more: number }>> = {
  median: { times: 2, more: 1 },
  'trimmed-mean': { times: 2, more: 1 },
  krum: { times: 2, more: 3 },
  'multi-krum': { times: 2, more: 3 },
  'geometric-median': { times: 2, more: 1 },
  'centered-clipping': { times: 2, more: 1 },
  bulyan: { times: 4, more: 3 },
}

/** What `--rule` takes; `fltrust` goes by trusted rows. */
export type RuleChoice = 'auto' | 'mean' | 'fltrust' | Rule
export const RULE_CHOICES = [
  'auto',
  'mean',
  ...Object.keys(NEEDS),
  'fltrust',
] as readonly RuleChoice[]

/** Updates of a round from which `auto` takes a rule: the fewest of which one may lie. */
const AUTO_UPDATES_MIN = 4
/** As the core's bound on updates of a round. */
export const BYZANTINE_MAX = 127
/** Updates without which no round closes, unless more are needed: a run of one is no run. */
export const UPDATES_MIN = 2

/** How updates become one, as users give it. */
export interface AggregationRequest {
  /** `auto` unless given: `mean` for rounds of two or three updates, else `centered-clipping`. */
  readonly rule?: RuleChoice
  /**
   * How many updates of a round may be hostile. Unless given: less than a third of `updatesMin`,
   * and no more than the rule holds against; 1 for a rule that is named without any number.
   */
  readonly byzantine?: number
  /** Length to which updates are shortened first; unless given, their own lengths say. */
  readonly radius?: number
  /** Mix each update with its nearest ones before the rule sees it; not unless given. */
  readonly mixing?: boolean
}

/** The rule of a run, nothing for the mean, and the least updates that close its rounds. */
export function completeAggregation(
  { rule = 'auto', byzantine, radius, mixing = false }: AggregationRequest,
  updatesMin: number | undefined,
  isTrusting = false,
): { readonly aggregation: Aggregation | undefined; readonly updatesMin: number } {
  if (!RULE_CHOICES.includes(rule)) {
    throw usageError(`there is no rule "${rule}"`, `use ${RULE_CHOICES.join(', ')}`)
  }
  checkNumbers(byzantine, radius)
  if (isTrusting || rule === 'fltrust') {
    const isBounded = byzantine !== undefined || radius !== undefined || mixing
    checkTrusting(rule, isTrusting, isBounded)
    return { aggregation: undefined, updatesMin: updatesMin ?? UPDATES_MIN }
  }
  const chosen = rule === 'auto' ? automatic(byzantine, updatesMin, mixing) : rule
  if (chosen === 'mean') {
    if ((byzantine ?? 0) > 0 || radius !== undefined || mixing) {
      throw usageError(
        'the mean holds against no hostile update and shortens none',
        'name another --rule, or leave --byzantine, --radius and --mixing out',
      )
    }
    return { aggregation: undefined, updatesMin: updatesMin ?? UPDATES_MIN }
  }
  const hostile = byzantine ?? bearable(chosen, updatesMin)
  if (mixing && hostile === 0) {
    throw usageError(
      'against nobody, mixing makes every update the mean',
      'give --byzantine or a larger --min-updates, or leave --mixing out',
    )
  }
  const least = Math.max(UPDATES_MIN, needed(chosen, hostile))
  if (updatesMin !== undefined && updatesMin < least) {
    throw usageError(
      `rounds that close with ${updatesMin} updates are too small for ${chosen} against ${hostile}`,
      `give --min-updates ${least} or more, or a smaller --byzantine`,
    )
  }
  const aggregation = { rule: chosen, byzantine: hostile, radius: radius ?? 0, mixing }
  return { aggregation, updatesMin: updatesMin ?? least }
}

/** What a run makes of its updates, for people. */
export function aggregationText(aggregation: Aggregation | null, trustedRows: number): string {
  if (trustedRows > 0) return `fltrust, ${trustedRows} rows`
  if (aggregation === null) return 'mean, 0 may lie'
  // Said of none as well: nobody should take a rule's name for its protection.
  const mixed = aggregation.mixing === true ? 'mixed, ' : ''
  return `${mixed}${aggregation.rule}, ${aggregation.byzantine} may lie`
}

/** Trusted rows are in the place of a rule and of what belongs to one. */
function checkTrusting(rule: RuleChoice, isTrusting: boolean, isBounded: boolean): void {
  if (!isTrusting) {
    throw usageError('fltrust goes by trusted rows', 'name them: --reference trusted.csv')
  }
  if (rule !== 'auto' && rule !== 'fltrust') {
    throw usageError(
      `trusted rows are in the place of a rule, and not beside ${rule}`,
      'leave --rule or --reference out',
    )
  }
  if (isBounded) {
    throw usageError(
      'with trusted rows any number of updates may be hostile, and each has their length',
      'leave --byzantine, --radius and --mixing out',
    )
  }
}

/**
 * How many hostile updates a rule is given where nobody said: who names a rule wants protection, so
 * it is one unless the rounds are said to be too small for it.
 */
function bearable(rule: Rule, updatesMin: number | undefined): number {
  if (updatesMin === undefined) return 1
  const { times, more } = NEEDS[rule]
  const most = Math.floor((updatesMin - more) / times)
  return Math.max(0, Math.min(Math.floor((updatesMin - 1) / 3), most))
}

function automatic(
  byzantine: number | undefined,
  updatesMin: number | undefined,
  mixing: boolean,
): 'mean' | Rule {
  // What mixing was published with, and measured with here.
  if (mixing) return 'trimmed-mean'
  const few = (updatesMin ?? UPDATES_MIN) < AUTO_UPDATES_MIN
  return byzantine === 0 || (byzantine === undefined && few) ? 'mean' : 'centered-clipping'
}

/** The fewest updates among which a rule holds. */
function needed(rule: Rule, byzantine: number): number {
  const { times, more } = NEEDS[rule]
  return byzantine === 0 ? 1 : times * byzantine + more
}

function checkNumbers(byzantine: number | undefined, radius: number | undefined): void {
  if (byzantine !== undefined && !(Number.isInteger(byzantine) && inBounds(byzantine))) {
    const range = `from 0 to ${BYZANTINE_MAX}`
    throw usageError(`byzantine is ${byzantine}`, `give a whole number ${range}`)
  }
  if (radius !== undefined && !(radius > 0 && Number.isFinite(Math.fround(radius)))) {
    throw usageError(`radius is ${radius}`, 'give a length over 0, or leave it out')
  }
}

const inBounds = (byzantine: number): boolean => byzantine >= 0 && byzantine <= BYZANTINE_MAX
