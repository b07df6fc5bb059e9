/** `config get KEY`. */
import { Config, isSettingKey, unknownSetting } from '../config.js'
import type { Context } from '../context.js'

/** Prints one setting. */
export async function run(
  { home, around, output }: Context,
  _: object,
  key: string,
): Promise<void> {
  if (!isSettingKey(key)) throw unknownSetting(key, 'config get')
  const { value, origin } = Config.load(home, around).resolve(key)
  output.result({ key, value, origin }, () =>
    Array.isArray(value) ? value.join(',') : String(value),
  )
}
