// What is asked of ProVerif, and what it must answer: one row for each run.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where the model is. */
export const HERE = dirname(fileURLToPath(import.meta.url))

/** The parts of the channel that a control may replace, in the order in which they are read. */
const PARTS = ['claim', 'author', 'transport', 'keys']

/** As ProVerif says it: proved; an attack, with a trace; neither. */
const [PROVED, ATTACK, OPEN] = ['true', 'false', 'cannot be proved']

const row = (name, queries, lost, expected, replaced) => ({
  name: name === '' ? `${queries}, ${lost} lost` : name,
  queries,
  lost,
  expected,
  replaced,
})
const proved = (count) => Array(count).fill(PROVED)
const control = (replaced, queries, lost, expected) =>
  row(`control ${replaced}: ${queries}, ${lost} lost`, queries, lost, expected, replaced)

/** Every run: the file of its queries, whose key agreement is lost, the verdicts in order. */
export const RUNS = [
  row('', 'agreement', 'both', proved(4)),
  row('', 'reflection', 'both', proved(1)),
  row('', 'offers', 'both', proved(2)),
  row('', 'binding', 'x25519', proved(2)),
  row('', 'binding', 'ml_kem', proved(2)),
  row('', 'secrecy', 'x25519', proved(4)),
  row('', 'secrecy', 'ml_kem', proved(4)),
  row('', 'data', 'x25519', proved(2)),
  row('', 'data', 'ml_kem', proved(2)),
  row('', 'hiding', 'x25519', proved(1)),
  row('', 'hiding', 'ml_kem', proved(1)),
  row('', 'hiding-from-watchers', 'x25519', proved(2)),
  row('', 'hiding-from-watchers', 'ml_kem', proved(2)),
  row('', 'negotiation', 'both', [PROVED, PROVED, ATTACK]),
  row('', 'frames', 'nothing', [...proved(5), ATTACK]),

  // What the properties do not reach, and that what they are about does happen.
  row('', 'reach', 'nothing', Array(3).fill(ATTACK)),
  row('', 'hiding-from-peers', 'nothing', [ATTACK, ATTACK]),
  row('', 'secrecy', 'both', Array(4).fill(ATTACK)),
  row('', 'binding', 'both', [ATTACK, PROVED]),

  // The same properties of channels with a part of the protocol left out.
  control('claim.no-hash', 'agreement', 'both', Array(4).fill(ATTACK)),
  control('claim.no-role-no-receiver', 'reflection', 'both', [ATTACK]),
  control('claim.no-role-no-receiver', 'reflection', 'x25519', [ATTACK]),
  control('claim.no-role', 'reflection', 'both', proved(1)),
  control('claim.no-hash', 'secrecy', 'x25519', Array(4).fill(ATTACK)),
  control('claim.no-receiver', 'agreement', 'both', [PROVED, PROVED, ATTACK, ATTACK]),
  control('claim.no-role', 'agreement', 'both', proved(4)),
  control('claim.no-ids', 'agreement', 'both', Array(4).fill(ATTACK)),
  control('claim.no-transport-id', 'agreement', 'both', [ATTACK, PROVED, ATTACK, PROVED]),
  control('claim.no-author-id', 'agreement', 'both', [PROVED, ATTACK, PROVED, ATTACK]),
  control('claim.no-offers', 'offers', 'both', [ATTACK, ATTACK]),
  control('author.half-ml-dsa', 'agreement', 'both', [ATTACK, PROVED, ATTACK, PROVED]),
  control('author.half-ed25519', 'agreement', 'both', [ATTACK, PROVED, ATTACK, PROVED]),
  control('transport.unsigned', 'agreement', 'both', [PROVED, ATTACK, PROVED, ATTACK]),
  control('keys.no-ml-kem', 'secrecy', 'x25519', Array(4).fill(ATTACK)),
  control('keys.no-ml-kem', 'secrecy', 'ml_kem', proved(4)),
  control('keys.no-x25519', 'secrecy', 'ml_kem', Array(4).fill(ATTACK)),
  control('keys.no-x25519', 'secrecy', 'x25519', proved(4)),
]

/** The files of a run, libraries first, as ProVerif takes them. */
export function files({ queries, lost, replaced }) {
  const [weak] = replaced?.split('.') ?? []
  const parts = PARTS.map((part) => `parts/${part === weak ? replaced : part}.pvl`)
  return ['primitives.pvl', ...parts, `lost/${lost}.pvl`, 'channel.pvl', `${queries}.pv`]
}

/** Everything that the verdicts follow from. */
export const FILES = readdirSync(HERE, { recursive: true })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.pvl?$/.test(path))
  .sort()

/** The verdicts in what ProVerif said; it says `even` of an injective one's weaker form. */
export function verdicts(output) {
  return output
    .split('\n')
    .filter((line) => line.startsWith('RESULT ') && !line.startsWith('RESULT (even'))
    .map((line) => / (?:is (true|false)|(cannot be proved))\.?$/.exec(line))
    .map((match) => match?.[1] ?? match?.[2] ?? OPEN)
}

/** A file's SHA-256, in hex. */
export function sha256(path) {
  return createHash('sha256')
    .update(readFileSync(join(HERE, path)))
    .digest('hex')
}
