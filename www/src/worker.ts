/**
 * The node worker: the node lives here, the page only draws.
 *
 * Nothing but the wiring: calls of the page become calls of `Member`, actions go back as events.
 */
import type { Attack } from '../../npm/src/attack.ts'
import { Member, type Opening } from './member.ts'
import { peersOf } from './peer.ts'
import { type Port, serve } from './rpc.ts'
import type { Action, Slot } from './store.ts'

export type NodeApi = typeof api

const member = new Member((action) => publish(action))

const api = {
  open: (opening: Opening) => member.open(opening),
  select: (run: string) => member.select(run),
  pick: (slot: Slot, file: File | null) => member.pick(slot, file),
  join: (run: string) => member.join(run),
  leave: (run: string) => member.leave(run),
  lie: (attack: Attack | null) => member.lie(attack),
  trainAlone: (run: string) => member.trainAlone(run),
  answer: (text: string) => member.answer(text),
  close: () => member.close(),
}

// The page's first message: what it lends to the node. Without it there is no WebRTC.
addEventListener('message', ({ data }) => {
  if (data.peers instanceof MessagePort) member.lend(peersOf(data.peers))
})

const publish = serve<typeof api, Action>(globalThis as unknown as Port, api)
