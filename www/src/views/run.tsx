/** The runs of this mesh, and how the current one goes: figures, curve, table. */
import type { RunView } from '../../../wasm/mesh.js'
import { type Curve, currentRun, curveOf, type Measured, type Point, type State } from '../store.ts'
import { accuracy, count } from '../words.ts'
import type { Actions, ViewProps } from './app.tsx'
import { Card, Command, Stat } from './parts.tsx'
import { Plot } from './plot.tsx'

export function RunCard({ state, act }: ViewProps) {
  const run = currentRun(state)
  if (run === null) return <NoRun state={state} />
  const curve = curveOf(state, run.run)
  return (
    <Card title="Run" note={`${run.state}, ${count(run.members.length, 'member')}`}>
      <RunList state={state} act={act} current={run} />
      <Figures run={run} curve={curve} owner={state.mode === 'owner'} />
      <Plot
        points={curve.points}
        rounds={run.rounds}
        alone={aloneOf(curve)}
        empty={state.mode === 'owner' ? UNMEASURED_HERE : UNMEASURED}
      />
      <PointsTable points={curve.points} />
    </Card>
  )
}

const UNMEASURED =
  'The curve starts with the first round that is measured here. Pick held-out rows to measure.'
const UNMEASURED_HERE =
  'The curve starts with the first round that is scored. Members score rounds on rows they hold out.'

function NoRun({ state }: { state: State }) {
  return (
    <Card title="Run">
      <p>
        {state.mode === 'owner'
          ? 'No run has been started in this mesh.'
          : 'No run has been started in this mesh. It appears here by itself when a member starts one:'}
      </p>
      <Command
        text="npx synaptic-mesh run start my-run --data rows.csv --layers 64,32,10 --rounds 20"
        label="the command that starts a run"
      />
    </Card>
  )
}

function RunList({ state, act, current }: { state: State; act: Actions; current: RunView }) {
  return (
    <ul class="runs" aria-label="Runs of this mesh">
      {state.runs.map((run) => (
        <li key={run.run} class={run.run === current.run ? 'run current' : 'run'}>
          <button
            type="button"
            class="run-name"
            aria-pressed={run.run === current.run}
            onClick={() => act.select(run.run)}
          >
            {run.name}
          </button>
          <span class="note">{`round ${run.round} of ${run.rounds}${askForRows(run, state, act)}`}</span>
          <Membership run={run} state={state} act={act} />
        </li>
      ))}
    </ul>
  )
}

/** Why the Join button is grey, said where the eye is. */
function askForRows(run: RunView, state: State, act: Actions): string {
  const could = act.member !== null && run.state !== 'finished' && !run.contributing
  return could && state.files.rows === null ? '; pick your rows below to join' : ''
}

function Membership({ run, state, act }: { run: RunView; state: State; act: Actions }) {
  const member = act.member
  if (member === null || run.state === 'finished') return null
  if (run.contributing) {
    return (
      <button
        type="button"
        data-action="leave-run"
        data-run={run.name}
        onClick={() => member.leave(run.run)}
      >
        Stop contributing
      </button>
    )
  }
  const busy = state.joining !== null
  const ready = state.files.rows !== null && state.nodeRunning && !state.dead
  return (
    <button
      type="button"
      class="primary"
      data-action="join-run"
      data-run={run.name}
      disabled={busy || !ready}
      onClick={() => member.join(run.run)}
    >
      {state.joining === run.run ? 'Joining' : 'Join'}
    </button>
  )
}

function Figures({ run, curve, owner }: { run: RunView; curve: Curve; owner: boolean }) {
  const { alone, together } = curve
  const done = alone?.state === 'done' ? alone : null
  const last = curve.points.findLast((point) => point.together !== null)?.together ?? null
  const shown = together?.accuracy ?? last
  return (
    <dl class="stats">
      <Stat label="Round" note={`of ${run.rounds}`}>
        <span data-round={run.round}>{run.round}</span>
      </Stat>
      <Stat
        label="Together"
        tone="accent"
        note={together === null ? 'accuracy of the shared model' : on(together.measured)}
      >
        <span data-accuracy-together={shown === null ? '' : accuracy(shown)}>
          {shown === null ? '' : accuracy(shown)}
        </span>
      </Stat>
      {!owner && (
        <Stat
          label="Alone"
          tone="warm"
          note={done === null ? 'your rows without the others' : on(done.measured)}
        >
          <span data-accuracy-alone={done === null ? '' : accuracy(done.accuracy)}>
            {done === null ? '' : accuracy(done.accuracy)}
          </span>
        </Stat>
      )}
      <Stat label="Last round" note="updates averaged">
        {curve.points.findLast((point) => point.updates > 0)?.updates ?? ''}
      </Stat>
    </dl>
  )
}

function on({ on: slot, rows }: Measured): string {
  return slot === 'test' ? `on ${count(rows, 'held-out row')}` : `on ${count(rows, 'own row')}`
}

function aloneOf(curve: Curve): number | null {
  return curve.alone?.state === 'done' ? curve.alone.accuracy : null
}

function PointsTable({ points }: { points: readonly Point[] }) {
  if (points.length === 0) return null
  const cell = (value: number | null) => (value === null ? '' : accuracy(value))
  return (
    <details>
      <summary>Rounds as a table</summary>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              {['Round', 'Updates', 'Together', 'Own rows', 'Loss'].map((head) => (
                <th scope="col" class="number" key={head}>
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {points.toReversed().map((point) => (
              <tr key={point.round}>
                <td class="number">{point.round}</td>
                <td class="number">{point.updates === 0 ? '' : point.updates}</td>
                <td class="number">{cell(point.together)}</td>
                <td class="number">{cell(point.local)}</td>
                <td class="number">{cell(point.loss)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  )
}
