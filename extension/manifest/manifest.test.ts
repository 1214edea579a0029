import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { manifest } from './index.ts'
import { takeTexts } from './texts.ts'

const described = manifest({ name: 'skein', version: '1.0.0', description: 'd', license: 'MIT' })
const contributes = described.contributes as Record<string, unknown>
const text = JSON.stringify(described)

it('names no command that it does not contribute', () => {
  const commands = (contributes.commands as { command: string }[]).map(({ command }) => command)
  const named = [...text.matchAll(/"command":"(skein\.[^"]+)"|command:(skein\.[\w.]+)|onCommand:(skein\.[\w.]+)/g)]
  for (const [, inMenu, inLink, inEvent] of named) {
    const command = inMenu ?? inLink ?? inEvent ?? ''
    expect([...commands, 'skein.jobs.focus', 'skein.peers.focus', 'skein.specs.focus']).toContain(command)
  }
})

it('asks in its conditions for nothing that nobody sets', () => {
  const known = [
    'server',
    'jobs',
    'jobs.active',
    'jobs.results',
    'jobs.filtered',
    'jobs.grouping',
    'peers',
    'peers.any',
    'specs',
    'specs.any',
    'node.draining',
  ]
  const conditions = [...text.matchAll(/"(?:when|enablement)":"((?:[^"\\]|\\.)*)"/g)].map(([, when]) => when ?? '')
  for (const when of conditions) for (const [, key] of when.matchAll(/\bskein\.([\w.]+)/g)) expect([...known]).toContain(key)
})

it('has each of its texts once, and a place for it', () => {
  const { manifest: shipped, texts } = takeTexts(described)
  const places = [...JSON.stringify(shipped).matchAll(/"%([^%"]+)%"/g)].map(([, key]) => key ?? '')
  expect(places.sort()).toEqual(Object.keys(texts).sort())
  expect(texts['commands.skein.jobs.new.title']).toBe('New Job…')
  expect(JSON.stringify(shipped)).toContain('"engines":{"vscode"')
})

it('starts for a view, a command, the chat or a spec file, and for nothing else', () => {
  for (const event of described.activationEvents as string[])
    expect(event).toMatch(/^(workspaceContains:(\.specify|specs)\/|on(View|Command|ChatParticipant|WebviewPanel):skein\.)/)
})

it('tells of every setting what it is for, and where it may be set', () => {
  const { properties } = contributes.configuration as { properties: Record<string, Record<string, string>> }
  for (const [name, { markdownDescription, scope }] of Object.entries(properties)) {
    expect(markdownDescription, name).toMatch(/^[A-Z].{15,}[.?)]$/)
    expect(['machine', 'machine-overridable', 'window', 'resource'], name).toContain(scope)
  }
})

it('has what runs or writes hidden, and its links refused, where a workspace is not trusted', () => {
  const commands = contributes.commands as { command: string; enablement?: string }[]
  const open = commands.filter(({ enablement }) => enablement === undefined).map(({ command }) => command)
  for (const word of [
    'new',
    'retry',
    'cancel',
    'answer',
    'apply',
    'checkout',
    'discard',
    'runTask',
    'tick',
    'add',
    'pair',
    'trust',
    'remove',
    'drain',
    'undrain',
  ])
    expect(
      open.filter(command => command.endsWith(`.${word}`)),
      word,
    ).toEqual([])
})

it('ships the pictures that it names', () => {
  for (const [, file] of text.matchAll(/"(media\/[^"]+)"/g)) expect(existsSync(`extension/${file}`), file).toBe(true)
})

it('has addresses and programs set for a machine, never by a repository', () => {
  const { properties } = contributes.configuration as { properties: Record<string, { scope: string }> }
  for (const [name, { scope }] of Object.entries(properties)) if (name.startsWith('skein.server.')) expect(scope).toBe('machine')
})
