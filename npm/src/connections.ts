/**
 * Commands about connections: peers, what this node relays, and figures for monitoring.
 */
import type { Command } from 'commander'
import type { Bind } from './program.js'

/** Adds `peer`, `relay`, `net` and `metrics`. */
export function addConnectionCommands(program: Command, bind: Bind): void {
  const peer = program.command('peer').description('who is connected, and who may be')
  bind(
    peer.command('list').description('who is connected, who is not and why, who is banned'),
    () => import('./commands/peer-list.js'),
  )
  bind(
    peer
      .command('connect')
      .description('call a node, and say what comes of it')
      .argument('<address>', '/ip4/.../tcp/.../ws/p2p/...'),
    () => import('./commands/peer-connect.js'),
  )
  const named = [
    [
      'disconnect',
      'part from a peer, and keep away from it for a minute',
      () => import('./commands/peer-disconnect.js'),
    ],
    ['ban', 'part from a node for good', () => import('./commands/peer-ban.js')],
    ['unban', 'take back a ban', () => import('./commands/peer-unban.js')],
    ['ping', 'how long a peer takes to answer', () => import('./commands/peer-ping.js')],
    [
      'trace',
      'how a peer is reached, and why other ways fail',
      () => import('./commands/peer-trace.js'),
    ],
  ] as const
  for (const [verb, description, load] of named) {
    bind(
      peer
        .command(verb)
        .description(description)
        .argument('<node>', 'its node id, or as much of the beginning as is unique'),
      load,
    )
  }
  const relay = program.command('relay').description('connections that lead through others')
  bind(
    relay.command('status').description('whom this node relays for, and who relays for it'),
    () => import('./commands/relay-status.js'),
  )
  const switched = [
    ['on', 'let others reach each other through this node, where it listens'],
    ['off', 'refuse that; connections that lead through it stay until they end'],
  ] as const
  for (const [word, description] of switched) {
    bind(relay.command(word).description(description), async () => ({
      run: (await import('./commands/relay-switch.js')).turn(word),
    }))
  }
  const net = program.command('net').description('the network as this node sees it')
  bind(
    net.command('doctor').description('what stands between the running node and others'),
    () => import('./commands/net-doctor.js'),
  )
  bind(
    program.command('metrics').description('the node in figures, as Prometheus reads them'),
    () => import('./commands/metrics.js'),
  )
}
