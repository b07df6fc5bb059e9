/** `config list`. */
import { Config } from '../config.js'
import type { Context } from '../context.js'
import { columns } from '../output.js'

/** Prints all settings. */
export async function run(
  { home, around, output }: Context,
  { showOrigin }: { readonly showOrigin?: boolean },
): Promise<void> {
  const settings = Config.load(home, around).list()
  const data = showOrigin === true ? settings : settings.map(({ key, value }) => ({ key, value }))
  output.result(data, () =>
    columns(
      settings.map(({ key, value, origin }) => {
        const text = Array.isArray(value) ? value.join(',') : String(value)
        return showOrigin === true ? [key, origin, text] : [key, text]
      }),
    ),
  )
}
