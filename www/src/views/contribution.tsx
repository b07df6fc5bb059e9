/** What this tab gives: its rows (which stay here), and how often it took part. */
import { ATTACKS, type Attack } from '../../../npm/src/attack.ts'
import type { RunView } from '../../../wasm/mesh.js'
import { curveOf, type PickedFile, roundsContributed, type Slot, type State } from '../store.ts'
import { bytes, count } from '../words.ts'
import type { MemberActions } from './app.tsx'
import { Card, FileInput, Stat } from './parts.tsx'

interface Props {
  readonly state: State
  readonly member: MemberActions
  readonly run: RunView | null
}

export function ContributionCard({ state, member, run }: Props) {
  const { rows, test } = state.files
  return (
    <Card title="Your rows" note="read and trained in this tab, sent to nobody">
      <div class="pickers">
        <Picker
          slot="rows"
          label="Rows to learn from"
          help="CSV, one example per line, label last"
          file={rows}
          member={member}
        />
        <Picker
          slot="test"
          label="Held-out rows (optional)"
          help="to measure with, never trained on"
          file={test}
          member={member}
        />
      </div>
      {rows !== null && <Labels file={rows} run={run} />}
      <Alone state={state} member={member} run={run} />
      <Lies attack={state.attack} member={member} />
      <Taken state={state} run={run} />
    </Card>
  )
}

interface PickerProps {
  readonly slot: Slot
  readonly label: string
  readonly help: string
  readonly file: PickedFile | null
  readonly member: MemberActions
}

function Picker({ slot, label, help, file, member }: PickerProps) {
  const looks = file === null ? help : `${file.name}: ${sizes(file)}`
  return (
    <div class="picker">
      <p class="label-text">{label}</p>
      <div class="buttons">
        <FileInput label={label} hook={slot} onPick={(picked) => member.pick(slot, picked)} />
        {file !== null && (
          <button type="button" class="quiet" onClick={() => member.pick(slot, null)}>
            Remove
          </button>
        )}
      </div>
      <p class="note">{looks}</p>
    </div>
  )
}

function sizes({ survey, bytes: length }: PickedFile): string {
  return `${count(survey.rows, 'row')}, ${count(survey.columns, 'column')}, ${bytes(length)}`
}

/** How the picked rows spread over the classes: usually unevenly, which is why to train together. */
function Labels({ file, run }: { file: PickedFile; run: RunView | null }) {
  const labels = file.survey.labels
  if (labels === null) return null
  const counts = new Map(labels.map(({ label, count: rows }) => [label, rows]))
  const names = run !== null && run.classes.length > 0 ? run.classes : [...counts.keys()]
  if (names.length > 24) return null
  const most = Math.max(1, ...counts.values())
  return (
    <div class="labels" role="img" aria-label={labelsSpoken(names, counts)}>
      {names.map((name) => {
        const rows = counts.get(name) ?? 0
        return (
          <div class="label" key={name} title={`${name}: ${count(rows, 'row')}`}>
            <svg viewBox="0 0 10 40" preserveAspectRatio="none" aria-hidden="true">
              <rect x="0" width="10" y={40 - (rows / most) * 40} height={(rows / most) * 40} />
            </svg>
            <span>{name}</span>
          </div>
        )
      })}
    </div>
  )
}

function labelsSpoken(names: readonly string[], counts: Map<string, number>): string {
  return `Rows per class: ${names.map((name) => `${name} ${counts.get(name) ?? 0}`).join(', ')}`
}

function Alone({ state, member, run }: Props) {
  const alone = curveOf(state, run?.run ?? null).alone
  const busy = alone?.state === 'training'
  const ready = run !== null && state.files.rows !== null && !busy
  return (
    <div class="alone">
      <button
        type="button"
        data-action="train-alone"
        disabled={!ready}
        onClick={() => run !== null && member.trainAlone(run.run)}
      >
        Train alone
      </button>
      {busy ? (
        <label class="progress">
          <span class="note">{`epoch ${alone.epoch} of ${alone.epochs}`}</span>
          <progress value={alone.epoch} max={alone.epochs} />
        </label>
      ) : (
        <p class="note">{aloneNote(state, run)}</p>
      )}
    </div>
  )
}

function aloneNote(state: State, run: RunView | null): string {
  if (run === null) return 'There is no run yet whose network could be trained.'
  if (state.files.rows === null) return 'Pick rows to see what they reach without the others.'
  if (state.files.test !== null)
    return 'The same network and budget on your rows only, for comparison.'
  return 'Without held-out rows it is measured on the rows it learnt from, which flatters it.'
}

const SENT: Readonly<Record<Attack, string>> = {
  'sign-flip': 'its update turned round, ten times as long',
  noise: 'random numbers',
  'label-flip': 'what it learns from wrong labels',
}

/** For experiments: what a run's rule does with a member that lies. */
function Lies({ attack, member }: { attack: Attack | null; member: MemberActions }) {
  return (
    <label class="lies">
      <span class="note">This tab sends</span>
      <select
        data-input="attack"
        value={attack ?? ''}
        onChange={({ currentTarget: { value } }) =>
          member.lie(ATTACKS.find((one) => one === value) ?? null)
        }
      >
        <option value="">what it has learnt</option>
        {ATTACKS.map((one) => (
          <option key={one} value={one}>
            {SENT[one]}
          </option>
        ))}
      </select>
      {attack !== null && (
        <p class="note" data-attack={attack}>
          It lies in every round, for an experiment: see in Training what the rule lets through.
        </p>
      )}
    </label>
  )
}

function Taken({ state, run }: { state: State; run: RunView | null }) {
  if (run === null || state.files.rows === null) return null
  const rounds = roundsContributed(state, run.run)
  return (
    <dl class="stats">
      <Stat label="Rows contributed" note="counted, not sent">
        <span data-samples={run.contributing ? state.files.rows.survey.rows : 0}>
          {run.contributing ? state.files.rows.survey.rows.toLocaleString('en') : '0'}
        </span>
      </Stat>
      <Stat label="Rounds contributed" note={`of ${run.round} so far`}>
        <span data-rounds-contributed={rounds}>{rounds}</span>
      </Stat>
    </dl>
  )
}
