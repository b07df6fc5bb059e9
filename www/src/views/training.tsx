/**
 * The page *Training*: how a run goes, round by round, as the signed history tells it. Whatever is
 * drawn stands in a table beside it.
 */
import type { ComponentChildren } from 'preact'
import {
  type MemberView,
  type RoundView,
  type TrainingView,
  WHY_NOT,
} from '../../../npm/src/run-log.ts'
import { currentRun, type State, shortId } from '../store.ts'
import { accuracy, bytes, count } from '../words.ts'
import type { ViewProps } from './app.tsx'
import { Chart } from './chart.tsx'
import { Card, Stat } from './parts.tsx'
import { RunCard } from './run.tsx'

/** Rows of a table of rounds, newest first; the charts have all rounds that are kept. */
const ROWS_MAX = 100
/** Updates that were left out, newest first. */
const LEFT_OUT_MAX = 50

export function Training({ state, act }: ViewProps) {
  const run = currentRun(state)
  const view = run === null ? undefined : state.training[run.run]
  if (run === null) return <RunCard state={state} act={act} />
  if (view === undefined) {
    return (
      <Card title="Training">
        <p class="empty">Nothing is known of this run yet; it appears with its first update.</p>
      </Card>
    )
  }
  return (
    <div class="pages" data-training={view.run}>
      <Now state={state} view={view} />
      <Scores view={view} />
      <Members view={view} self={state.nodeId} />
      <Weights view={view} />
      <LeftOut view={view} />
    </div>
  )
}

function Now({ state, view }: { state: State; view: TrainingView }) {
  const closed = view.course.findLast(({ result }) => result !== null)
  const open = view.course.find(({ round }) => round === view.round + 1)
  return (
    <Card
      title={`Training: ${view.name}`}
      note={`${view.state}, ${count(members(view), 'member')}`}
    >
      <dl class="stats">
        <Stat label="Round" note={`of ${view.rounds}`}>
          <span data-training-round={view.round}>{view.round}</span>
        </Stat>
        <Stat label="Updates taken" note="in the last round">
          {closed === undefined ? '' : taken(closed)}
        </Stat>
        <Stat
          label="Missing now"
          note={open === undefined ? 'no round is open' : 'in the open round'}
        >
          <span data-missing={open?.missing.length ?? 0}>{open?.missing.length ?? 0}</span>
        </Stat>
      </dl>
      <ul class="plain" role="status">
        <li data-promotion={closed?.round ?? 0}>{promoted(closed)}</li>
        {view.state !== 'finished' && (
          <li data-open={view.round + 1}>{opened(view, open, state)}</li>
        )}
      </ul>
    </Card>
  )
}

const members = ({ members: all }: TrainingView): number => all.filter(({ left }) => !left).length
const taken = ({ updates }: RoundView): number => updates.filter((one) => one.taken === true).length

/** What the weights are and how they came to be: every member computes a result again before. */
function promoted(round: RoundView | undefined): string {
  if (round?.result == null) return 'No result yet: the network is the one that the run began with.'
  const { author, weightsCid } = round.result
  const by = author === null ? '' : ` proposed by ${shortId(author)},`
  const rivals =
    round.proposals !== null && round.proposals > 1
      ? ` ${count(round.proposals, 'result')} were proposed.`
      : ''
  return `Round ${round.round}:${by} computed again here from ${count(taken(round), 'update')} and taken over; weights ${weightsCid.slice(0, 16)}.${rivals}`
}

function opened(view: TrainingView, open: RoundView | undefined, state: State): string {
  const here = `Round ${view.round + 1} is open: ${count(open?.updates.length ?? 0, 'update')} so far.`
  const names = (open?.missing ?? []).map((id) => nameOf(id, state.nodeId)).join(', ')
  const missing = names === '' ? '' : ` Missing: ${names}.`
  if (view.closes === null) return here + missing
  const { quorum, updatesMin, deadlineMs } = view.closes
  const all = quorum >= members(view) ? 'the updates of all members' : count(quorum, 'update')
  return `${here} It closes with ${all}, or after ${deadlineMs / 1000} s with ${updatesMin}.${missing}`
}

function Scores({ view }: { view: TrainingView }) {
  const scored = view.course.filter(({ score }) => score !== null)
  const at = (value: (round: RoundView) => number | null) =>
    scored.map((round) => ({ round: round.round, value: value(round) }))
  return (
    <Card title="Loss and accuracy" note="of the shared network, measured here on held-out rows">
      {scored.length === 0 ? (
        <p class="empty">No round was measured here: take part with held-out rows to measure.</p>
      ) : (
        <Beside
          charts={
            <>
              <Named text="Accuracy">
                <Chart
                  hook="accuracy"
                  title="Accuracy"
                  shape="line"
                  max={1}
                  text={(value) => value.toFixed(2)}
                  points={at(({ score }) => score?.accuracy ?? null)}
                />
              </Named>
              <Named text="Loss">
                <Chart
                  hook="loss"
                  title="Loss"
                  shape="dashes"
                  text={short}
                  points={at(({ score }) => score?.loss ?? null)}
                />
              </Named>
            </>
          }
        >
          <Rounds
            name="scores"
            caption="Loss and accuracy of each round"
            heads={['Round', 'Accuracy', 'Loss', 'Rows']}
            rows={scored.map(({ round, score }) => [
              round,
              score?.accuracy == null ? '' : accuracy(score.accuracy),
              score === null ? '' : accuracy(score.loss),
              score?.rows ?? '',
            ])}
          />
        </Beside>
      )}
    </Card>
  )
}

function Members({ view, self }: { view: TrainingView; self: string | null }) {
  const rounds = view.course.filter(({ result }) => result !== null).length
  return (
    <Card title="Members" note={`over ${count(rounds, 'closed round')}`}>
      <div class="scroll">
        <table data-table="members">
          <caption class="unseen">What each member has contributed</caption>
          <thead>
            <tr>
              <th scope="col">Member</th>
              <th scope="col" class="number">
                Rows
              </th>
              <th scope="col" class="number">
                Sent
              </th>
              <th scope="col" class="number">
                Taken
              </th>
              <th scope="col" colSpan={2}>
                Share of the rows in all results
              </th>
              <th scope="col">Now</th>
            </tr>
          </thead>
          <tbody>
            {view.members.map((member) => (
              <tr key={member.id} data-member={member.id}>
                <th scope="row">
                  <code title={member.id}>{nameOf(member.id, self)}</code>
                </th>
                <td class="number">{member.samples ?? ''}</td>
                <td class="number">{member.sent}</td>
                <td class="number">{member.taken}</td>
                <td class="number">{`${(member.share * 100).toFixed(1)} %`}</td>
                <td>
                  <svg
                    class="share"
                    viewBox="0 0 100 10"
                    preserveAspectRatio="none"
                    aria-hidden="true"
                  >
                    <rect class="frame" x="0" y="0" width="100" height="10" />
                    <rect class="bar" x="0" y="0" width={member.share * 100} height="10" />
                  </svg>
                </td>
                <td data-standing>{standing(member, view)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

/** Where a member stands to the others: with them, behind, or gone. */
function standing({ left, lastRound }: MemberView, { round, state }: TrainingView): string {
  if (left) return 'left'
  const behind = round - lastRound
  if (behind > 0) return `${count(behind, 'round')} behind`
  if (state === 'finished') return 'to the end'
  return lastRound > round ? `sent for round ${lastRound}` : 'training'
}

function Weights({ view }: { view: TrainingView }) {
  const rounds = view.course.filter(({ bytes: of }) => of !== null)
  if (rounds.length === 0) return null
  return (
    <Card title="Bytes per round" note="of updates, and of the signed vertices around them">
      <Beside
        charts={
          <Named text="Bytes of updates">
            <Chart
              hook="bytes"
              title="Bytes of updates"
              shape="bars"
              text={shortBytes}
              points={rounds.map((one) => ({
                round: one.round,
                value: one.bytes?.updates ?? null,
              }))}
            />
          </Named>
        }
      >
        <Rounds
          name="bytes"
          caption="Bytes of each round"
          heads={['Round', 'Sent', 'Taken', 'Updates', 'Signed vertices']}
          rows={rounds.map((one) => [
            one.round,
            one.updates.length,
            one.result === null ? '' : taken(one),
            bytes(one.bytes?.updates ?? 0),
            bytes(one.bytes?.vertices ?? 0),
          ])}
        />
      </Beside>
    </Card>
  )
}

const REFUSED: Readonly<Record<string, string>> = {
  'update-unusable': 'updates whose bytes are no update of their run',
  'aggregate-wrong': 'results that their updates do not come to',
  'peer-bad-update': 'peers that sent an update of theirs that cannot be used',
}

function LeftOut({ view }: { view: TrainingView }) {
  const all = view.course.flatMap(({ round, updates, unrevealed }) => {
    const sent = updates.filter((one) => one.whyNot !== null)
    const told = unrevealed.map((one) => ({ ...one, samples: '' }))
    return [...sent, ...told].map((one) => ({ ...one, round }))
  })
  const refused = Object.entries(view.refused)
  return (
    <Card title="Left out and refused" note={count(all.length, 'update')}>
      {all.length === 0 ? (
        <p class="empty">Every update that was sent for a closed round is in its result.</p>
      ) : (
        <Rounds
          name="left-out"
          caption="Updates that were left out"
          heads={['Round', 'Rows', 'Member', 'Why']}
          words={2}
          rows={all
            .slice(-LEFT_OUT_MAX)
            .map((one) => [
              one.round,
              one.samples,
              shortId(one.author),
              one.whyNot === null ? '' : WHY_NOT[one.whyNot],
            ])}
        />
      )}
      {refused.length > 0 && (
        <ul class="plain" data-refused={refused.length}>
          {refused.map(([cause, times]) => (
            <li
              key={cause}
            >{`Refused since this node was started: ${times} ${REFUSED[cause] ?? cause}`}</li>
          ))}
        </ul>
      )}
    </Card>
  )
}

function Beside({ charts, children }: { charts: ComponentChildren; children: ComponentChildren }) {
  return (
    <div class="beside">
      <div>{charts}</div>
      <div>{children}</div>
    </div>
  )
}

function Named({ text, children }: { text: string; children: ComponentChildren }) {
  return (
    <figure class="named">
      <figcaption>{text}</figcaption>
      {children}
    </figure>
  )
}

interface RoundsProps {
  readonly name: string
  readonly caption: string
  readonly heads: readonly string[]
  readonly rows: readonly (readonly (string | number)[])[]
  /** Columns of words, at the end. */
  readonly words?: number
}

/** A table of rounds, newest first; the first column heads its row. */
function Rounds({ name, caption, heads, rows, words = 0 }: RoundsProps) {
  const kind = (column: number) => (column < heads.length - words ? 'number' : undefined)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it by the keyboard.
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table data-table={name}>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {heads.map((head, column) => (
              <th scope="col" class={kind(column)} key={head}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows
            .slice(-ROWS_MAX)
            .toReversed()
            .map((cells) => (
              <tr key={cells.join()}>
                {cells.map((cell, column) => (
                  <td class={kind(column)} key={heads[column]}>
                    {cell}
                  </td>
                ))}
              </tr>
            ))}
        </tbody>
      </table>
    </section>
  )
}

function nameOf(id: string, self: string | null): string {
  return id === self ? `${shortId(id)} (here)` : shortId(id)
}

function short(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2)
}

function shortBytes(value: number): string {
  return value === 0 ? '0' : bytes(value).replace(' bytes', ' B')
}
