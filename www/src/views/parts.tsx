/** The few shapes every card is made of. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

interface CardProps {
  readonly title: string
  readonly note?: string
  readonly children: ComponentChildren
}

/** A titled region. */
export function Card({ title, note, children }: CardProps) {
  return (
    <section class="card" aria-label={title}>
      <div class="card-head">
        <h2>{title}</h2>
        {note !== undefined && <span class="note">{note}</span>}
      </div>
      {children}
    </section>
  )
}

interface StatProps {
  readonly label: string
  readonly note?: string | undefined
  readonly tone?: 'accent' | 'warm'
  readonly children: ComponentChildren
}

/** One figure with its name above and what it is measured on below. */
export function Stat({ label, note, tone, children }: StatProps) {
  return (
    <div class="stat">
      <dt>{label}</dt>
      <dd class={tone}>{children}</dd>
      {note !== undefined && <dd class="note">{note}</dd>}
    </div>
  )
}

/** Text whose `backticked` parts are commands. */
export function Words({ text }: { text: string }) {
  return (
    <>
      {text.split('`').map((part, index) =>
        // Every second part stood between backticks; parts never move.
        index % 2 === 1 ? <code key={index}>{part}</code> : part,
      )}
    </>
  )
}

/** A command the reader can copy. */
export function Command({ text, label }: { text: string; label: string }) {
  return (
    <p class="command">
      <code>{text}</code>
      <Copy text={text} label={label} />
    </p>
  )
}

/** Copies `text`; says so for a moment. Without a clipboard the text can still be selected. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setCopied(true)
      setTimeout(() => setCopied(false), 1500)
    } catch {
      setCopied(false)
    }
  }
  return (
    <button type="button" class="quiet" aria-label={`Copy ${label}`} onClick={copy}>
      {copied ? 'Copied' : 'Copy'}
    </button>
  )
}

interface FileInputProps {
  /** What is picked, for who cannot see the card around it. */
  readonly label: string
  /** The stable name for automation: `data-input`. */
  readonly hook: string
  onPick(file: File): void
}

/** A file button. It forgets the file at once, so that a mended file can be picked again. */
export function FileInput({ label, hook, onPick }: FileInputProps) {
  const pick = ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
    const file = currentTarget.files?.[0]
    currentTarget.value = ''
    if (file !== undefined) onPick(file)
  }
  return (
    <label class="button">
      <input
        class="unseen"
        type="file"
        accept={TABLES}
        aria-label={label}
        data-input={hook}
        onChange={pick}
      />
      Choose a file
    </label>
  )
}

const TABLES = '.csv,.tsv,.txt,text/csv'

/** The sign of the project: three nodes, no centre. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path
        d="M16 6 7 23h18Z"
        fill="none"
        stroke="currentColor"
        stroke-width="2"
        stroke-linejoin="round"
      />
      <circle cx="16" cy="6" r="4" />
      <circle cx="7" cy="24" r="4" />
      <circle cx="25" cy="24" r="4" />
    </svg>
  )
}
