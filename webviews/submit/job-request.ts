import type { JobRequest, PermissionPolicy } from '#shared/model/index.ts'

/** What a person filled in. */
export interface Draft {
  readonly task: string
  /** Empty: none. */
  readonly repository: string
  readonly includesChanges: boolean
  readonly agent: string
  /** A shell command, of agent `command`. */
  readonly command: string
  /** Shell commands, one a line. */
  readonly checks: string
  readonly permissions: PermissionPolicy
  /** `anywhere`, `here`, or the id of a node. */
  readonly where: string
}

export const NEW_DRAFT: Draft = {
  task: '',
  repository: '',
  includesChanges: true,
  agent: 'auto',
  command: '',
  checks: '',
  permissions: 'ask',
  where: 'anywhere',
}

/** A whole draft, whatever was kept of one. */
export function draftOf(value: unknown): Draft {
  const known = Object.entries(NEW_DRAFT).map(([name, fallback]) => {
    const given = (value as Record<string, unknown> | null | undefined)?.[name]
    return [name, typeof given === typeof fallback ? given : fallback]
  })
  return Object.fromEntries(known) as unknown as Draft
}

const shell = (line: string) => ['sh', '-c', line]
const lines = (text: string) =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')

/** What is still to be said, by field; null when the draft can be sent. */
export function missingIn(draft: Draft): Partial<Record<keyof Draft, string>> | null {
  if (draft.agent === 'command' && draft.command.trim() === '') return { command: 'Say which command to run.' }
  if (draft.agent !== 'command' && draft.task.trim() === '') return { task: 'Say what the agent is to do.' }
  if (draft.repository.trim() === '' && lines(draft.checks).length > 0)
    return { repository: 'Checks run on a result, so they need a repository.' }
  return null
}

export function requestOf(draft: Draft): JobRequest {
  const path = draft.repository.trim()
  return {
    task: draft.task.trim(),
    agent: draft.agent,
    ...(draft.agent === 'command' ? { argv: shell(draft.command) } : {}),
    ...(path === '' ? {} : { repository: { path, include: draft.includesChanges ? 'changes' : 'head' } }),
    checks: lines(draft.checks).map(shell),
    permissions: draft.permissions,
    where: draft.where === 'anywhere' ? {} : draft.where === 'here' ? { local: true } : { on: [draft.where] },
  }
}
