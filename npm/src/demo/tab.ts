/**
 * The member of the demo that is a browser tab: it opens the founder's join link and does what a
 * visitor would do, by the marks that the dashboard has for it.
 */
import { Tab } from './browser.js'

/** A tab connects within two seconds; on a busy machine it takes longer. */
const JOIN_TIMEOUT_MS = 90_000
/** As many epochs as the whole run, in a browser that shares two cores with five processes. */
const ALONE_TIMEOUT_MS = 180_000

/** A tab that is a member. */
export class TabMember {
  readonly #tab: Tab

  /** Starts a browser. From this call on it has to be closed, whatever comes of it. */
  constructor(program: string) {
    this.#tab = Tab.launch(program)
  }

  /** Opens the join link and waits until the tab is connected. */
  async open(link: string): Promise<void> {
    await this.#tab.open(link)
    await this.#tab.until(
      'document.querySelector(\'[data-state="joined"], [data-state="training"]\') !== null',
      'join',
      JOIN_TIMEOUT_MS,
    )
  }

  /** Picks the files, trains alone, joins the run. */
  async join(
    run: string,
    rows: string,
    test: string,
  ): Promise<{ nodeId: string; kind: 'tab'; accuracyAlone: number }> {
    const tab = this.#tab
    await tab.until(
      `document.querySelector('[data-run="${run}"]') !== null`,
      'see the run',
      JOIN_TIMEOUT_MS,
    )
    await tab.pick('[data-input="rows"]', rows)
    await tab.pick('[data-input="test"]', test)
    await tab.click('[data-action="train-alone"]', JOIN_TIMEOUT_MS)
    const accuracy = await tab.until<string>(
      `((element) => /^[01]\\.\\d+$/.exec(element?.textContent ?? '')?.[0])(
        document.querySelector('[data-accuracy-alone]'))`,
      'finish training alone',
      ALONE_TIMEOUT_MS,
    )
    const nodeId = await tab.evaluate<string>(
      'document.querySelector("[data-node-id]").textContent',
    )
    await tab.click(`[data-action="join-run"][data-run="${run}"]`, JOIN_TIMEOUT_MS)
    await tab.until(
      `document.querySelector('[data-action="leave-run"][data-run="${run}"]') !== null`,
      'join the run',
      JOIN_TIMEOUT_MS,
    )
    return { nodeId, kind: 'tab', accuracyAlone: Number(accuracy) }
  }

  /** Ends the browser. */
  close(): Promise<void> {
    return this.#tab.close()
  }

  /** Ends the browser at once: for the end of this process. */
  end(): void {
    this.#tab.end()
  }
}
