/** What `createNode` reads, in Node and in a page. */
import { objectArgument, onlyKnown } from './neural/arguments.js'

const KNOWN = [
  ...['home', 'network', 'genesis', 'join', 'name', 'storage', 'bootstrap', 'advertise'],
  ...[
    'history',
    'classical',
    'relaying',
    'mdns',
    'host',
    'port',
    'exactPort',
    'threads',
    'worker',
    'iceServers',
  ],
]

/**
 * Refuses options that are none: a mistyped `home` would make a node that is forgotten.
 *
 * @throws SynapticError `bad-argument`, `option-invalid`
 */
export function checkNodeOptions(options: object): void {
  onlyKnown(objectArgument(options, 'the options', "{ home: 'folder' }"), KNOWN, 'createNode')
}
