/** `config set KEY VALUE`. */
import * as path from 'node:path'
import { checkSetting, isSettingKey, unknownSetting, updateConfigFile } from '../config.js'
import type { Context } from '../context.js'
import { makePrivateDirectory } from '../files.js'

/** Changes one setting of this home. */
export async function run(
  { home, output }: Context,
  _: object,
  key: string,
  text: string,
): Promise<void> {
  if (!isSettingKey(key)) throw unknownSetting(key, 'config set')
  const value = checkSetting(key, text, 'config set')
  makePrivateDirectory(path.dirname(home.configFile))
  updateConfigFile(home.configFile, { [key]: value })
  output.result(
    { key, value, file: home.configFile },
    () => `${key} = ${text} in ${home.configFile}`,
  )
}
