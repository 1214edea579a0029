import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FIX_TEST_SESSION, startScriptedModel } from '#demo/scripted-model.ts'
import { hasSandbox, makeRepository, startNode } from './node.ts'

const labBin = fileURLToPath(new URL('../lab/agents/node_modules/.bin', import.meta.url))
const path = `${process.env.PATH ?? ''}${delimiter}${labBin}`
const isHere = path.split(delimiter).some(directory => existsSync(`${directory}/opencode`))
if (!isHere) console.warn('skipped: OpenCode is not on PATH (npm install --prefix test/lab/agents)')

const SHOP = {
  'package.json': '{"type":"module"}\n',
  'price.js': 'export const discounted = (cents, percent) => Math.round(cents - cents * percent)\n',
  'price.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discounted } from './price.js'
test('ten percent', () => assert.equal(discounted(1000, 10), 900))
`,
}

describe.skipIf(!isHere || !hasSandbox)('OpenCode, the real one, in the real sandbox', () => {
  it('mends a test by tool calls of a scripted model, through the gateway and nothing else', { timeout: 180_000 }, async () => {
    await using model = await startScriptedModel({ steps: FIX_TEST_SESSION })
    using repository = makeRepository(SHOP)
    await using node = await startNode({}, { PATH: path, OPENAI_BASE_URL: `${model.url}/v1` })
    const { job, events, log } = await node.run({
      task: 'Make the test pass',
      agent: 'opencode',
      repository: { path: repository.path },
      checks: [['node', '--test']],
    })
    expect(job.failure, log).toBeNull()
    expect(job.result).toMatchObject({
      isolation: 'process',
      agent: { id: 'opencode', version: expect.stringMatching(/^1\./) },
      model: 'scripted',
      checks: [{ verdict: 'fixed' }],
    })
    expect(job.result?.usage.outputTokens).toBeGreaterThan(0)
    const tools = events.flatMap(({ body }) => (body.type === 'agent.tool' && body.status === 'completed' ? [body.kind] : []))
    expect(tools).toEqual(expect.arrayContaining(['read', 'edit', 'execute']))
    const said = events.flatMap(({ body }) => (body.type === 'agent.message' ? [body.text] : [])).join('')
    expect(said).toContain('divides by 100 now')
    expect(log).toContain('divides by 100 now')
    expect(repository.git('diff', '--stat', 'HEAD', `refs/skein/jobs/${job.id}`)).toContain('1 file changed')
  })
})
