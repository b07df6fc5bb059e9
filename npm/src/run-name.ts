/**
 * Which run a user means by a name, an id or the beginning of an id.
 *
 * Names are chosen by members who may not hear of each other in time, so two runs can share one.
 * Then only an id says which is meant, and guessing would train somebody's rows in a wrong run.
 */
import { SynapticError } from './errors.js'
import type { RunView } from './wasm.js'

/** Characters of a run's id that tables show: the first seven are the same in every id. */
const SHOWN_CHARS = 16
/** Shortest beginning of an id that is taken for one. */
const PREFIX_CHARS_MIN = 10

type Named = Pick<RunView, 'run' | 'name'>

/** The beginning of a run's id, which every command takes in place of the name. */
export function shortRunId(id: string): string {
  return id.slice(0, SHOWN_CHARS)
}

/**
 * The run that is meant, or undefined where there is none.
 *
 * @throws SynapticError `run-ambiguous` naming the ids
 */
export function pickRun<Run extends Named>(
  runs: readonly Run[],
  nameOrId: string,
): Run | undefined {
  const exact = runs.find(({ run }) => run === nameOrId)
  if (exact !== undefined) return exact
  const byName = runs.filter(({ name }) => name === nameOrId)
  if (byName.length > 0) return onlyOne(byName, nameOrId)
  if (nameOrId.length < PREFIX_CHARS_MIN) return undefined
  return onlyOne(
    runs.filter(({ run }) => run.startsWith(nameOrId)),
    nameOrId,
  )
}

/** The error for a name or id that no run has. */
export function noSuchRun(nameOrId: string, runs: readonly Named[]): SynapticError {
  const names = [...new Set(runs.map(({ name }) => name))]
  return new SynapticError(
    'no-such-run',
    `there is no run "${nameOrId}" in this mesh`,
    names.length === 0 ? 'no run has been started yet' : `the runs are: ${names.join(', ')}`,
  )
}

/**
 * Refuses a name for a new run that a run has already.
 *
 * @throws SynapticError `run-exists`
 */
export function requireFreeName(runs: readonly Named[], name: string): void {
  if (!runs.some((run) => run.name === name)) return
  throw new SynapticError(
    'run-exists',
    `there is a run "${name}" already`,
    `choose another name, or take part in it: \`synaptic-mesh run join ${name} --data FILE\``,
  )
}

function onlyOne<Run extends Named>(runs: readonly Run[], nameOrId: string): Run | undefined {
  if (runs.length <= 1) return runs[0]
  throw new SynapticError(
    'run-ambiguous',
    `${runs.length} runs are called "${nameOrId}": ${runs.map(({ run }) => run).join(', ')}`,
    'name the one you mean by its id',
  )
}
