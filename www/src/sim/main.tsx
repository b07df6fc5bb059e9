/** The simulator in a page: the real core on virtual time, and faults by click. */
import { signal } from '@preact/signals'
import { render } from 'preact'

import init, { attackNames, scenarioNames, scenarioShows } from '../../../pkg/sim/sim.js'
import module from '../../../pkg/sim/sim_bg.wasm?url'
import { Card, Copy, Mark, Stat } from '../views/parts.tsx'
import { Picture, toggle } from './picture.tsx'
import * as session from './session.ts'
import { SPEEDS } from './session.ts'

import '../style/base.css'
import '../style/controls.css'
import '../style/views.css'
import './sim.css'

/** An end this far off is none: a partition waits for somebody to heal it. */
const YEARS_MS = 1e9
/** Members that a page computes fast enough to watch. */
const NODES_MAX = 200

const problem = signal('')
const attack = signal('equivocate')
/** What the fields say; it counts from the next start on. */
const draft = signal(session.choice.value)

function begin(): void {
  try {
    session.open(draft.value)
    problem.value = ''
  } catch (error) {
    problem.value = error instanceof Error ? error.message : String(error)
  }
}

function Page() {
  return (
    <div class="page" data-state={session.state.value}>
      <header>
        <Mark />
        <h1>
          Synaptic Mesh <span class="mesh-name">simulator</span>
        </h1>
        <span class={`pill ${session.ok.value ? 'pill-joined' : 'pill-dead'}`}>
          {session.ok.value ? 'every invariant holds' : 'an invariant broke'}
        </span>
      </header>
      <p class="sentence">
        Real nodes on virtual time. Click members, then let something go wrong.
      </p>
      <div class="cards">
        <section class="card" aria-label="The network">
          <Picture />
          <Transport />
        </section>
        <div class="column">
          <Scenario />
          <Faults />
          <Trace />
        </div>
      </div>
    </div>
  )
}

function Transport() {
  const seconds = (ms: number) => (ms / 1000).toFixed(1)
  return (
    <div class="transport">
      <button
        type="button"
        class="primary"
        data-action="play"
        disabled={session.report.value !== null}
        onClick={() => {
          session.playing.value = !session.playing.value
        }}
      >
        {session.playing.value ? 'Pause' : 'Play'}
      </button>
      <label>
        Speed{' '}
        <select
          data-input="speed"
          value={`${session.speed.value}`}
          onChange={(event) => {
            session.speed.value = Number(event.currentTarget.value)
          }}
        >
          {SPEEDS.map((speed) => (
            <option key={speed} value={`${speed}`}>
              {Number.isFinite(speed) ? `${speed}x` : 'as fast as it goes'}
            </option>
          ))}
        </select>
      </label>
      <span class="note">
        <span data-now>{seconds(session.now.value)}</span>{' '}
        {session.end.value > YEARS_MS ? 's, until it heals' : `of ${seconds(session.end.value)} s`}
      </span>
    </div>
  )
}

function Scenario() {
  const whole = (text: string, most: number) => Math.min(most, Math.max(0, Math.trunc(+text) || 0))
  return (
    <Card title="Scenario">
      <div class="fields">
        <label>
          Name
          <select
            data-input="scenario"
            value={draft.value.scenario}
            onChange={(event) => {
              draft.value = { ...draft.value, scenario: event.currentTarget.value }
            }}
          >
            {scenarioNames().map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Members
          <input
            data-input="nodes"
            type="number"
            min="2"
            max={NODES_MAX}
            value={draft.value.nodes}
            onChange={(event) => {
              const nodes = Math.max(2, whole(event.currentTarget.value, NODES_MAX))
              draft.value = { ...draft.value, nodes }
            }}
          />
        </label>
        <label>
          Seed
          <input
            data-input="seed"
            type="number"
            min="0"
            value={draft.value.seed}
            onChange={(event) => {
              draft.value = { ...draft.value, seed: whole(event.currentTarget.value, 2 ** 32 - 1) }
            }}
          />
        </label>
        <button type="button" data-action="begin" onClick={begin}>
          Begin anew
        </button>
      </div>
      <p class="note">{scenarioShows(draft.value.scenario)}</p>
      {problem.value !== '' && <p class="bad">{problem.value}</p>}
    </Card>
  )
}

function Faults() {
  const chosen = [...session.selected.value].sort((a, b) => a - b)
  const each = (change: (node: number) => void) => chosen.forEach(change)
  const over = session.report.value !== null
  return (
    <Card title="Faults" note={chosen.length === 0 ? 'nobody selected' : chosen.join(', ')}>
      <div class="buttons">
        <Do name="kill" off={chosen.length === 0} act={(sim) => each((node) => sim.kill(node))} />
        <Do name="restart" off={chosen.length === 0} act={(sim) => each((n) => sim.restart(n))} />
        <Do
          name="cut off"
          off={chosen.length === 0}
          act={(sim) => {
            sim.cutOff(Uint32Array.from(chosen))
            session.cut.value = true
          }}
        />
        <Do
          name="heal"
          off={!session.cut.value}
          act={(sim) => {
            sim.heal()
            session.cut.value = false
          }}
        />
        <Do
          name="corrupt"
          off={chosen.length === 0}
          act={(sim) => each((node) => sim.corrupt(node, attack.value))}
        />
        <label>
          by{' '}
          <select
            data-input="attack"
            disabled={over}
            value={attack.value}
            onChange={(event) => {
              attack.value = event.currentTarget.value
            }}
          >
            {attackNames().map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </div>
      <details>
        <summary>Members</summary>
        <ul class="members">
          {session.members.value.map(({ condition, vertices, peers }, node) => (
            // A member is its number.
            <li key={node}>
              <label>
                <input
                  type="checkbox"
                  data-member={node}
                  checked={session.selected.value.has(node)}
                  onChange={() => toggle(node)}
                />{' '}
                {node}: {condition}, {vertices} vertices, {peers} peers
              </label>
            </li>
          ))}
        </ul>
      </details>
    </Card>
  )
}

interface DoProps {
  readonly name: string
  readonly off: boolean
  act(simulation: Parameters<Parameters<typeof session.interfere>[0]>[0]): void
}

function Do({ name, off, act }: DoProps) {
  return (
    <button
      type="button"
      data-action={name.replace(' ', '-')}
      disabled={off || session.report.value !== null}
      onClick={() => session.interfere(act)}
    >
      {name}
    </button>
  )
}

function Trace() {
  const { scenario, nodes, seed } = session.choice.value
  const command = `npm run sim -- --scenario ${scenario} --nodes ${nodes} --seed ${seed}`
  const note = session.touched.value
    ? 'somebody interfered: this trace is this session’s own'
    : 'the same, byte for byte, as of the native run'
  return (
    <Card title="Trace">
      <dl>
        <Stat label="BLAKE3 of every input so far" note={note}>
          <code class="hash" data-hash>
            {session.hash.value}
          </code>
        </Stat>
      </dl>
      <p class="command">
        <code>{command}</code>
        <Copy text={command} label="the command" />
      </p>
      {session.report.value !== null && <pre data-report>{session.report.value}</pre>}
    </Card>
  )
}

await init({ module_or_path: fetch(module) })
begin()
render(<Page />, document.getElementById('root') as HTMLElement)
