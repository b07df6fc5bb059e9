/** `config set KEY VALUE`. */
import { ControlClient } from '../client.js'
import { checkSetting, isSettingKey, unknownSetting, updateConfigFile } from '../config.js'
import type { Context } from '../context.js'

/** Changes one setting of this home. */
export async function run(
  { home, output }: Context,
  _: object,
  key: string,
  text: string,
): Promise<void> {
  if (!isSettingKey(key)) throw unknownSetting(key, 'config set')
  const value = checkSetting(key, text, 'config set')
  updateConfigFile(home.configFile, { [key]: value })
  // A node reads its settings when it begins.
  const isRunning = ControlClient.find(home) !== undefined
  if (isRunning) output.note('the node that is running takes it up at its next start')
  output.result(
    { key, value, file: home.configFile },
    () => `${key} = ${text} in ${home.configFile}`,
  )
}
