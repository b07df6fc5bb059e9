/**
 * Every sentence and number format that more than one view needs. Pure; English; ASCII source.
 */
import type { RunView } from '../../wasm/mesh.js'
import { connection, currentRun, type State, type StateWord, stateWord } from './store.ts'

const STATE_LABELS: Readonly<Record<StateWord, string>> = {
  idle: 'Not joined',
  joining: 'Joining',
  joined: 'Joined',
  training: 'Training',
  finished: 'Finished',
  offline: 'Offline',
  dead: 'Stopped',
}

/** The pill in the header. */
export function stateLabel(state: State): string {
  const word = stateWord(state)
  const away = word === 'finished' && connection(state) === 'offline'
  return away ? 'Finished, offline' : STATE_LABELS[word]
}

/** One sentence on how things stand: the first thing a reader sees. */
export function healthSentence(state: State): string {
  const run = currentRun(state)
  const peers = state.peers.length
  const self = state.mode === 'owner' ? 'This node' : 'This tab'
  switch (stateWord(state)) {
    case 'idle':
      return 'This page is not part of a mesh yet.'
    case 'dead':
      return deadSentence(state, self)
    case 'joining':
      return state.joining === null
        ? `${self} is looking for the mesh.`
        : `${self} is joining the run.`
    case 'offline':
      return state.model === null
        ? `${self} reaches nobody at the moment and goes on trying.`
        : `${self} reaches nobody at the moment; the trained model still answers.`
    case 'finished':
      return `${run?.name ?? 'The run'} is trained: ${count(run?.round ?? 0, 'round')} together.`
    case 'training':
      return `Round ${(run?.round ?? 0) + 1} of ${run?.rounds ?? 0}: ${self.toLowerCase()} and ${others(peers)} train ${run?.name ?? ''}.`
    case 'joined':
      return joinedSentence(self, peers, run)
  }
}

function deadSentence(state: State, self: string): string {
  if (!state.nodeRunning) return `${self} cannot take part; the reason stands below.`
  const kept = state.model === null ? '' : ', and the trained model still answers'
  return `${self} has stopped. What it stored is safe${kept}.`
}

function joinedSentence(self: string, peers: number, run: RunView | null): string {
  const connected = `${self} is connected to ${count(peers, 'peer')}`
  if (run === null) return `${connected}; no run has been started yet.`
  if (run.contributing) return `${self} has joined ${run.name}, which waits for more members.`
  return `${connected} and looks on.`
}

function others(peers: number): string {
  return peers === 0 ? 'nobody else' : count(peers, 'other')
}

/** "1 peer", "3 peers", "1,797 rows". */
export function count(value: number, noun: string): string {
  return `${value.toLocaleString('en')} ${noun}${value === 1 ? '' : 's'}`
}

/** Bytes in the unit that leaves one to three digits. */
export function bytes(value: number): string {
  if (value < 1000) return count(value, 'byte')
  const units = ['kB', 'MB', 'GB']
  let scaled = value / 1000
  let unit = 0
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000
    unit += 1
  }
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${units[unit]}`
}

/** A share of 1 with four decimals: what automation reads and what a table aligns. */
export function accuracy(value: number): string {
  return value.toFixed(4)
}

/** A round-trip time that does not pretend to be exact. */
export function rtt(value: number | null): string {
  if (value === null) return 'not measured'
  return value < 1 ? '< 1 ms' : `${Math.round(value)} ms`
}

/** Hours, minutes and seconds of a wall-clock time in ms. */
export function clock(at: number): string {
  const date = new Date(at)
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}
