/** `config path`: where settings are read from. */
import type { Context } from '../context.js'
import { userConfigFile } from '../home.js'

/** Prints the files. */
export async function run({ home, around, output }: Context): Promise<void> {
  const data = { home: home.directory, config: home.configFile, user: userConfigFile(around) }
  output.result(data, () => [...new Set([data.config, data.user])].join('\n'))
}
