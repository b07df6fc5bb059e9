/** Options that several commands take. */
import { Option } from 'commander'
import * as read from './arguments.js'

/** As the core's bound on the rows of a step. */
export const BATCH_MAX = 4_096

/** What is told from rows. */
export function taskOption(
  text = 'overrides what the labels look like',
  more: string[] = [],
): Option {
  const kinds = ['classification', 'regression', ...more]
  return new Option('--task <kind>', text).choices(kinds)
}

/** How inputs are scaled. */
export function rangeOption(): Option {
  const text = 'scale inputs from this range to 0..1 (default: standardise)'
  return new Option('--range <min,max>', text).argParser(read.range)
}

/** Where random numbers come from. */
export function seedOption(): Option {
  return new Option('--seed <n>', 'the same seed gives the same bits (default 1)').argParser(
    read.seed,
  )
}
