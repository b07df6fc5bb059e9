/** What an engine does not do, which is not a failure: its row says so. */
export class Cannot extends Error {}
