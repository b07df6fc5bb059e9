/**
 * Commands about who may enter a permissioned network.
 */
import type { Command } from 'commander'
import * as read from './arguments.js'
import type { Bind } from './program.js'

/** As the core's bound. */
const USES_MAX = 1_000

/** Adds `invite`. */
export function addInviteCommands(program: Command, bind: Bind): void {
  const invite = program
    .command('invite')
    .description('who may enter a permissioned network (`init --permissioned`)')
  bind(
    invite
      .command('create')
      .description('make a join link that lets somebody in; keep it secret')
      .option('--for <node>', 'let in this node and no other: its node id')
      .option('--uses <n>', 'how many may enter with it (default 1)', read.integer(1, USES_MAX))
      .option('--expires <time>', 'until when: 30m, 12h, 7d (default 7d)', read.span),
    () => import('./commands/invite-create.js'),
  )
  bind(
    invite.command('list').description('invites, who entered with them, and who may invite'),
    () => import('./commands/invite-list.js'),
  )
  bind(
    invite
      .command('revoke')
      .description('take an invite back; who has entered stays a member')
      .argument('<invite>', 'its id, or as much of the beginning as is unique'),
    () => import('./commands/invite-revoke.js'),
  )
}
