/**
 * Commands about what members agree on: what is final, who decides, credits, names, and groups; and
 * messages between two of them.
 */
import { type Command, Option } from 'commander'
import * as read from './arguments.js'
import type { Bind } from './program.js'

/** Adds `finality`, `committee`, `wallet`, `name`, `message` and `group`. */
export function addAgreementCommands(program: Command, bind: Bind): void {
  addFinalityCommands(program, bind)
  addWalletCommands(program, bind)
  addNameCommands(program, bind)
  addMessageCommands(program, bind)
  addGroupCommands(program, bind)
}

function addFinalityCommands(program: Command, bind: Bind): void {
  const finality = program
    .command('finality')
    .description('what is final, and proofs of it (networks made with init --committee)')
  bind(
    finality.command('status').description('whether there is finality, in numbers'),
    () => import('./commands/finality-status.js'),
  )
  bind(
    finality
      .command('list')
      .description('final items, in the order in which this node saw them')
      .option('--from <n>', 'the first number', read.integer(0, Number.MAX_SAFE_INTEGER), 0),
    () => import('./commands/finality-list.js'),
  )
  bind(
    finality.command('show').description('how one item stands').argument('<item>', 'bafy.../0'),
    () => import('./commands/finality-show.js'),
  )
  bind(
    finality
      .command('prove')
      .description('write a proof that an item is final, for who has no history')
      .argument('<item>', 'bafy.../0')
      .requiredOption('--output <file>', 'proof to write')
      .option('--anonymous', 'ask another member over three relays (experimental)')
      .option('--force', 'replace a file that is there'),
    () => import('./commands/finality-prove.js'),
  )
  bind(
    finality
      .command('verify')
      .description('check a proof; needs no node, and of the network only its genesis')
      .argument('<file>', 'proof of `finality prove`')
      .option('--join <link>', 'link of the network, instead of that of this home')
      .option('--height-min <n>', 'refuse older checkpoints', read.integer(0, 4_294_967_295)),
    () => import('./commands/finality-verify.js'),
  )
  const committee = program
    .command('committee')
    .description('the members that decide what is final')
  bind(
    committee
      .command('show', { isDefault: true })
      .description('who decides, and whom some of them want next'),
    () => import('./commands/committee-show.js'),
  )
  bind(
    committee
      .command('propose')
      .description('say as a member who shall decide next; holds when a quorum says the same')
      .argument('<members>', 'ID[:WEIGHT],ID,...'),
    () => import('./commands/committee-propose.js'),
  )
}

const waitOption = (seconds: number): Option =>
  new Option('--timeout <seconds>', 'how long to wait until it is final')
    .argParser(read.integer(1, 86_400))
    .default(seconds)

function addWalletCommands(program: Command, bind: Bind): void {
  const wallet = program
    .command('wallet')
    .description('credits (networks made with init --committee)')
  bind(
    wallet
      .command('balance', { isDefault: true })
      .description('what an account has')
      .argument('[id]', 'node id, if it is not the own one'),
    () => import('./commands/wallet-balance.js'),
  )
  bind(
    wallet
      .command('transfer')
      .description('pay, and wait until that is final')
      .argument('<id>', 'node id of the payee')
      .argument('<credits>', 'such as 1000 or 0.5')
      .option('--memo <text>', 'a remark, at most 128 bytes; everybody can read it')
      .option('--force', 'also to an identity that is shut out')
      .addOption(waitOption(60)),
    () => import('./commands/wallet-transfer.js'),
  )
  bind(
    wallet
      .command('hold')
      .description('set credits aside for somebody: released to them, or refunded')
      .argument('<id>', 'node id of the payee')
      .argument('<credits>', 'such as 1000 or 0.5')
      .option('--arbiter <id>', 'node id of who else may release or refund', read.nodeId)
      .addOption(
        new Option(
          '--refund-after <checkpoints>',
          'after how many of them you may take it back alone (never unless given)',
        ).argParser(read.integer(1, 1_000_000)),
      )
      .option('--memo <text>', 'a remark, at most 128 bytes; everybody can read it')
      .option('--force', 'also to an identity that is shut out')
      .addOption(waitOption(60)),
    () => import('./commands/wallet-hold.js'),
  )
  bind(
    wallet
      .command('holds')
      .description('credits that are set aside, as payer, payee or arbiter')
      .argument('[id]', 'node id, if it is not the own one'),
    () => import('./commands/wallet-holds.js'),
  )
  for (const end of ['release', 'refund'] as const) {
    bind(
      wallet
        .command(end)
        .description(
          end === 'release'
            ? 'pay a hold out: the payer or the arbiter'
            : 'pay a hold back: the payee, the arbiter, or the payer once it is due',
        )
        .argument('<item>', 'the hold, as `wallet holds` lists it')
        .addOption(waitOption(60)),
      async () => (await import('./commands/wallet-end.js')).ends(end),
    )
  }
  bind(
    wallet.command('pending').description('own payments that are written and not final yet'),
    () => import('./commands/wallet-pending.js'),
  )
  bind(
    wallet
      .command('history')
      .description('final payments from and to an account')
      .argument('[id]', 'node id, if it is not the own one'),
    () => import('./commands/wallet-history.js'),
  )
}

function addMessageCommands(program: Command, bind: Bind): void {
  const message = program
    .command('message')
    .description('messages that one node reads and no other, also when it was away')
  bind(
    message
      .command('send')
      .description('seal a text for a node; that you wrote to it stays visible in the history')
      .argument('<node>', 'its node id or, while it is connected, its peer id')
      .argument(
        '<text>',
        'at most 4094 bytes; in quotes, and after -- where it begins with a dash',
      ),
    () => import('./commands/message-send.js'),
  )
  bind(
    message
      .command('list')
      .description('messages to and from this node, newest first')
      .option('--limit <n>', 'at most so many', read.integer(1, 1_000_000), 50),
    () => import('./commands/message-list.js'),
  )
}

function addNameCommands(program: Command, bind: Bind): void {
  const name = program
    .command('name')
    .description('names that end in .dark (networks made with init --committee)')
  const named = (verb: string, description: string): Command =>
    name.command(verb).description(description).argument('<name>', 'such as mesh.dark')
  bind(
    named('register', 'take a free name; takes a checkpoint or two')
      .option('--address <multiaddr>', 'where its owner is reached; up to 4', read.address, [])
      .addOption(waitOption(120)),
    () => import('./commands/name-register.js'),
  )
  bind(
    named('resolve', 'who has a name, and where that owner is reached').option(
      '--anonymous',
      'ask two other members over three relays (experimental)',
    ),
    () => import('./commands/name-resolve.js'),
  )
  bind(named('renew', 'prolong an own name'), () => import('./commands/name-renew.js'))
  bind(
    name
      .command('list')
      .description('names that have not expired')
      .option('--owner <id>', 'of this node id only'),
    () => import('./commands/name-list.js'),
  )
}

function addGroupCommands(program: Command, bind: Bind): void {
  const group = program
    .command('group')
    .description('tasks shared out among three to seven nodes that trust each other')
  bind(
    group
      .command('create')
      .description('begin a group; its members are those that are listed')
      .argument('<name>', 'what to call it')
      .requiredOption('--members <ids>', 'node ids of the others: ID,ID,...', read.nodeIds),
    () => import('./commands/group-create.js'),
  )
  bind(
    group.command('status', { isDefault: true }).description('the groups of this node'),
    () => import('./commands/group-status.js'),
  )
  bind(
    group
      .command('list')
      .description('the tasks of a group, as a majority knows them now')
      .argument('<group>', 'name or id'),
    () => import('./commands/group-list.js'),
  )
  bind(
    group
      .command('assign')
      .description('add a task')
      .argument('<group>', 'name or id')
      .argument('<task>', 'what to call it')
      .option('--to <id>', 'the member that alone may take it', read.nodeId)
      .option('--payload <text>', 'what it is, up to 1024 bytes'),
    () => import('./commands/group-assign.js'),
  )
  const changes = [
    ['take', 'take an open task', () => import('./commands/group-take.js')],
    [
      'release',
      'give a task back, or with --if-version take it away from a member that is gone',
      () => import('./commands/group-release.js'),
    ],
    ['done', 'say that a task is done', () => import('./commands/group-done.js')],
  ] as const
  for (const [verb, description, load] of changes) {
    bind(
      group
        .command(verb)
        .description(description)
        .argument('<group>', 'name or id')
        .argument('<task>', 'its name')
        .option(
          '--if-version <n>',
          'only if nothing has changed since',
          read.integer(0, Number.MAX_SAFE_INTEGER),
        ),
      load,
    )
  }
  const members = [
    ['add', 'add a member', () => import('./commands/group-add.js')],
    ['remove', 'remove a member', () => import('./commands/group-remove.js')],
  ] as const
  for (const [verb, description, load] of members) {
    bind(
      group
        .command(verb)
        .description(description)
        .argument('<group>', 'name or id')
        .argument('<node>', 'its node id'),
      load,
    )
  }
}
