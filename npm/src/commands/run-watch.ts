/** `run watch`: rounds of a run as they happen, until it is finished. */
import { ControlClient, type ControlEvent } from '../client.js'
import type { Context } from '../context.js'
import { exitCodeOf, SynapticError, toSynapticError } from '../errors.js'
import type { NodeEvent } from '../node.js'
import { type Output, toJson } from '../output.js'
import type { TrainingView } from '../run-log.js'
import { noSuchRun, pickRun } from '../run-name.js'
import type { RunView } from '../wasm.js'
import { membersText, roundText } from './course-text.js'
import { eventText } from './event-text.js'
import { waitingText } from './waiting-text.js'

/** Events that belong to a run. */
const SHOWN = new Set(['round', 'evaluated', 'update', 'trained', 'run'])
/** Those of them that are no lines of their own. */
const UNTOLD = new Set(['update', 'trained', 'round'])
/** How long the score of the last round may take after the run has finished. */
const LAST_SCORE_MS = 3_000

/** It ends in order when it is interrupted. */
export const endsItself = true

/** Follows a run. */
export async function run(context: Context, _options: object, name: string): Promise<number> {
  const { home, output, signal } = context
  const client = ControlClient.connect(home)
  const done = new AbortController()
  const events = client.events(AbortSignal.any([signal, done.signal]))
  // The stream is opened before the list is read, so that no round falls between the two.
  const first = events.next()
  first.catch(() => undefined)
  const view = await findRun(client, name)
  output.event('snapshot', view, () =>
    [
      `run ${view.name}: ${view.state}, round ${view.round}/${view.rounds}`,
      ...waitingText(view),
    ].join('\n'),
  )
  await tellMembers(output, client, view.run)
  if (view.state === 'finished') {
    done.abort()
    return 0
  }
  try {
    await follow(context, { client, view }, first, events, done)
  } catch (thrown) {
    if (!signal.aborted && !done.signal.aborted) throw thrown
  }
  // Ending it is how one stops watching, and no error.
  return signal.aborted ? exitCodeOf(toSynapticError(signal.reason).code) : 0
}

/** Who has contributed what. */
async function tellMembers(output: Output, client: ControlClient, run: string): Promise<void> {
  const training = await client.call<TrainingView>('run.training', { run })
  const { members, refused } = training
  output.event('members', { run, members, refused }, () => membersText(training))
}

async function findRun(client: ControlClient, name: string): Promise<RunView> {
  const runs = await client.call<RunView[]>('run.list')
  const found = pickRun(runs, name)
  if (found !== undefined) return found
  throw noSuchRun(name, runs)
}

interface Watched {
  readonly client: ControlClient
  readonly view: RunView
}

async function follow(
  { output }: Context,
  { client, view: { run, name, rounds } }: Watched,
  first: Promise<IteratorResult<ControlEvent, void>>,
  events: AsyncGenerator<ControlEvent, void, undefined>,
  done: AbortController,
): Promise<void> {
  let last = ''
  for (let step = await first; step.done !== true; step = await events.next()) {
    const { event, data } = step.value
    if (!SHOWN.has(event) || data.run !== run) continue
    // The last weights are scored as those of their round and once more when the run has finished.
    const line = toJson({ event, data })
    if (line === last && event === 'evaluated') continue
    if (event === 'evaluated') last = line
    output.event(event, data, (paint) => {
      // A closed round follows with its whole course.
      const shown = UNTOLD.has(event) ? undefined : { type: event, ...data }
      return shown === undefined ? undefined : eventText(shown as unknown as NodeEvent, paint)
    })
    if (event === 'round') {
      const { course } = await client.call<TrainingView>('run.training', { run, from: data.round })
      const round = course.find((one) => one.round === data.round)
      const shown = round === undefined ? undefined : { run, name, rounds, ...round }
      if (shown !== undefined) output.event('course', shown, () => roundText(name, rounds, shown))
    }
    if (event === 'run' && data.state === 'finished') {
      await tellMembers(output, client, run)
      setTimeout(() => done.abort(), LAST_SCORE_MS).unref()
    }
  }
  throw new SynapticError('not-running', 'the node has ended', 'start it again to go on watching')
}
