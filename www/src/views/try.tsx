/** The trained model, used: rows without label in, classes out. Works with no mesh and no network. */
import { useId, useState } from 'preact/hooks'

import type { Problem } from '../problem.ts'
import type { Answer, Model, State } from '../store.ts'
import { count } from '../words.ts'
import type { MemberActions } from './app.tsx'
import { Card, FileInput, Words } from './parts.tsx'

/** Lines taken from a file: enough to try, few enough to look at. */
const TAKEN_ROWS_MAX = 20
/** Bytes of a file read into the text field; far above any 20 rows that make sense there. */
const FILE_BYTES_MAX = 4 * 1024 * 1024

interface Props {
  readonly state: State
  readonly member: MemberActions
}

export function TryCard({ state, member }: Props) {
  const { model, answers } = state
  if (model === null) {
    return (
      <Card title="Try the model">
        <p class="empty">
          There is a model here after the first round. Then it answers offline, too.
        </p>
      </Card>
    )
  }
  return (
    <Card title="Try the model" note={`${model.name}, round ${model.round}`}>
      <Form model={model} member={member} />
      {answers !== null && <Answers answers={answers} />}
    </Card>
  )
}

function Form({ model, member }: { model: Model; member: MemberActions }) {
  const [text, setText] = useState('')
  const [problem, setProblem] = useState<Problem | null>(null)
  const [busy, setBusy] = useState(false)
  const id = useId()
  const ask = async () => {
    setBusy(true)
    setProblem(await member.answer(text))
    setBusy(false)
  }
  const read = async (file: File) => setText(await firstLines(file))
  return (
    <div class="try">
      <label for={id}>{`Rows without label, ${count(model.features, 'number')} each`}</label>
      <textarea
        id={id}
        rows={4}
        spellcheck={false}
        data-input="try-text"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <div class="buttons">
        <button
          type="button"
          class="primary"
          data-action="try"
          disabled={busy || text.trim() === ''}
          onClick={ask}
        >
          Ask the model
        </button>
        <FileInput label="File with rows to try" hook="try" onPick={read} />
      </div>
      {problem !== null && (
        <p class="problem" role="alert" data-problem={problem.code}>
          <span>
            {`${problem.message} `}
            <Words text={problem.hint} />
          </span>
        </p>
      )}
    </div>
  )
}

async function firstLines(file: File): Promise<string> {
  const text = await file.slice(0, FILE_BYTES_MAX).text()
  return text.split('\n').slice(0, TAKEN_ROWS_MAX).join('\n')
}

function Answers({ answers }: { answers: readonly Answer[] }) {
  return (
    <div class="scroll">
      <table data-answers={answers.length}>
        <caption class="unseen">What the model answers</caption>
        <thead>
          <tr>
            <th scope="col" class="number">
              Row
            </th>
            <th scope="col">Answer</th>
            <th scope="col">Confidence</th>
          </tr>
        </thead>
        <tbody>
          {answers.map((answer, index) => (
            // Rows are answered in order and replaced as a whole: the place is the identity.
            <tr key={index}>
              <td class="number">{index + 1}</td>
              <td data-answer={answer.label}>{answer.label}</td>
              <td>{answer.confidence !== null && <Confidence share={answer.confidence} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Confidence({ share }: { share: number }) {
  // Never a round hundred: a network is sure, it does not know.
  const percent = share > 0.99 ? '> 99' : Math.round(share * 100)
  return (
    <span class="confidence">
      <meter min={0} max={1} value={share} aria-label={`${percent} percent`} />
      <span>{`${percent} %`}</span>
    </span>
  )
}
