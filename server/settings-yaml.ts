import { parse, YAMLParseError } from 'yaml'
import { ConfigError, isTree, type Tree } from './settings.ts'

/** Reads the text of a settings file. @throws {ConfigError} */
export function parseSettings(text: string, path: string): Tree {
  let values: unknown
  try {
    values = parse(text) ?? {}
  } catch (cause) {
    throw new ConfigError(
      `The settings file ${path} is not YAML: ${cause instanceof YAMLParseError ? cause.message : String(cause)}`,
      { cause },
    )
  }
  if (!isTree(values))
    throw new ConfigError(`The settings file ${path} must hold a map of settings, such as "api: { port: 8080 }".`)
  return values
}
