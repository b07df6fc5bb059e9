/**
 * The whole page as a function of the state: header, one sentence, problems, cards.
 */
import type { Attack } from '../../../npm/src/attack.ts'
import type { Problem } from '../problem.ts'
import { connection, currentRun, type Page, type Slot, type State, stateWord } from '../store.ts'
import { healthSentence, stateLabel } from '../words.ts'
import { Activity } from './activity.tsx'
import { ContributionCard } from './contribution.tsx'
import { Landing } from './landing.tsx'
import { MeshCard } from './mesh.tsx'
import { Mark, Words } from './parts.tsx'
import { RunCard } from './run.tsx'
import { StorageCard } from './storage.tsx'
import { Training } from './training.tsx'
import { TryCard } from './try.tsx'

/** What a tab that is a member can be asked to do. */
export interface MemberActions {
  pick(slot: Slot, file: File | null): void
  join(run: string): void
  leave(run: string): void
  /** Sends updates that lie, or honest ones again. */
  lie(attack: Attack | null): void
  trainAlone(run: string): void
  /** Resolves with what went wrong, or null; the answers arrive in the state. */
  answer(text: string): Promise<Problem | null>
}

/** Everything a view may ask for. `member` is null where the page only looks on. */
export interface Actions {
  select(run: string): void
  show(page: Page): void
  dismiss(code: string): void
  keep(): void
  reload(): void
  readonly member: MemberActions | null
}

export interface ViewProps {
  readonly state: State
  readonly act: Actions
}

export function App({ state, act }: ViewProps) {
  return (
    <div class="page">
      <Header state={state} />
      <main>
        <p class="sentence" role="status">
          {healthSentence(state)}
        </p>
        <Problems state={state} act={act} />
        {state.mode === 'landing' ? <Landing /> : <Paged state={state} act={act} />}
      </main>
      <footer>
        <p>
          {state.mode === 'owner'
            ? 'You see the node that serves this page. Closing the page does not stop it.'
            : 'This tab is a node like the others. What it shows, it heard from its peers and checked itself.'}
        </p>
      </footer>
    </div>
  )
}

function Header({ state }: { state: State }) {
  const word = stateWord(state)
  return (
    <header>
      <Mark />
      <h1>
        Synaptic Mesh
        {state.meshName !== null && <span class="mesh-name">{state.meshName}</span>}
      </h1>
      <span class={`pill pill-${word}`} data-state={word} data-connection={connection(state)}>
        {stateLabel(state)}
      </span>
    </header>
  )
}

const PAGES: readonly (readonly [Page, string])[] = [
  ['overview', 'Overview'],
  ['training', 'Training'],
]

function Paged({ state, act }: ViewProps) {
  return (
    <>
      <nav aria-label="Pages">
        {PAGES.map(([page, title]) => (
          <button
            type="button"
            key={page}
            data-page={page}
            aria-current={state.page === page ? 'page' : undefined}
            onClick={() => act.show(page)}
          >
            {title}
          </button>
        ))}
      </nav>
      {state.page === 'training' ? (
        <Training state={state} act={act} />
      ) : (
        <Cards state={state} act={act} />
      )}
    </>
  )
}

function Cards({ state, act }: ViewProps) {
  const run = currentRun(state)
  return (
    <div class="cards">
      <div class="column wide">
        <RunCard state={state} act={act} />
        {act.member !== null && <ContributionCard state={state} member={act.member} run={run} />}
        {act.member !== null && <TryCard state={state} member={act.member} />}
        {act.member === null && <Activity log={state.log} />}
      </div>
      <div class="column">
        <MeshCard state={state} />
        <StorageCard state={state} act={act} />
        {act.member !== null && <Activity log={state.log} />}
      </div>
    </div>
  )
}

/** What ends by itself or by a small step: told in a calmer colour than what is broken. */
const PASSING = ['no-peers', 'api-lost', 'rows-gone', 'no-rows']

function Problems({ state, act }: ViewProps) {
  return (
    <div class="problems" aria-live="polite">
      {state.problems.map((problem) => (
        <section
          class={PASSING.includes(problem.code) ? 'problem passing' : 'problem'}
          data-problem={problem.code}
          key={problem.code}
        >
          <div>
            <p class="what">
              <Words text={problem.message} />
            </p>
            {problem.hint !== '' && (
              <p class="hint">
                <Words text={problem.hint} />
              </p>
            )}
          </div>
          <button
            type="button"
            class="quiet"
            onClick={() => (state.dead ? act.reload() : act.dismiss(problem.code))}
          >
            {state.dead ? 'Reload' : 'Dismiss'}
          </button>
        </section>
      ))}
    </div>
  )
}
