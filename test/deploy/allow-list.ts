import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

/** A call that the socket proxy of deploy/compose.yaml lets through. */
export interface Rule {
  readonly method: string
  /** Of the whole path. */
  readonly pattern: RegExp
}

const file = new URL('../../deploy/compose.yaml', import.meta.url)

export function readAllowList(): readonly Rule[] {
  const compose = parse(readFileSync(file, 'utf8')) as { services: Record<string, { command?: string[] }> }
  return (compose.services['socket-proxy']?.command ?? []).flatMap(argument => {
    const [, method = '', pattern = ''] = argument.match(/^-allow(HEAD|GET|POST|PUT|DELETE|PATCH)=(.*)$/s) ?? []
    // The proxy ties a pattern to both ends of the path itself.
    return method === '' ? [] : [{ method, pattern: new RegExp(`^${pattern}$`) }]
  })
}

export const ruleFor = (rules: readonly Rule[], method: string, path: string): Rule | undefined =>
  rules.find(rule => rule.method === method && rule.pattern.test(path))
