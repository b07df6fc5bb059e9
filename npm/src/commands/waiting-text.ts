/** What a run waits for whose rounds have several steps, for people. */
import { shortId } from '../output.js'
import type { RunView } from '../wasm.js'

/** Members that are named. */
const NAMED_MAX = 8

type Waiting = NonNullable<RunView['waiting']>

const STEPS: Readonly<Record<Waiting['step'], string>> = {
  commitments: 'commitments',
  updates: 'updates that were committed to',
  deals: 'keys for masks',
  'masked-updates': 'masked updates',
  shares: 'shares that open the sum',
}

/** A line where somebody is missing. A view that was kept by an older node says nothing of it. */
export function waitingText({
  name,
  round,
  waiting,
}: Pick<RunView, 'name' | 'round'> & {
  readonly waiting?: Waiting | null
}): string[] {
  if (waiting === undefined || waiting === null) return []
  const { step, attempt, members } = waiting
  const named = members.slice(0, NAMED_MAX).map(shortId).join(' ')
  const more = members.length > NAMED_MAX ? ` and ${members.length - NAMED_MAX} more` : ''
  const again = attempt === 0 ? '' : `, try ${attempt + 1}`
  return [`run ${name}: round ${round + 1}${again} waits for ${STEPS[step]} of ${named}${more}`]
}
