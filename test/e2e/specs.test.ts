import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { ServerMessage, STREAM_PATH } from '#shared/contract/index.ts'
import { makeRepository, startNode, type TestNode, type TestRepository } from './node.ts'

const PROGRAM = resolve(import.meta.dirname, '../../cli/main.ts')
const TASKS = 'specs/001-login/tasks.md'

let node: TestNode
let repository: TestRepository

beforeAll(async () => {
  node = await startNode()
  repository = makeRepository({
    'specs/001-login/spec.md': '# Feature Specification: Sign in\r\n\r\n- **FR-001**: People MUST sign in\r\n',
    [TASKS]:
      '# Tasks: Sign in\r\n\r\n## Phase 1: Setup\r\n\r\n- [ ] T001 Write hello.txt for FR-001\r\n- [ ] T002 Write ../out.txt',
  })
})
afterAll(async () => {
  repository[Symbol.dispose]()
  await node[Symbol.asyncDispose]()
})

/** Runs `skein` as a person in the repository would. */
function skein(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { PATH: process.env.PATH, HOME: node.dataDir, SKEIN_DATA_DIR: node.dataDir }
  return new Promise(answer =>
    execFile(process.execPath, [PROGRAM, ...args], { cwd: repository.path, env }, (error, stdout, stderr) =>
      answer({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    ),
  )
}
const work = (...options: string[]) =>
  skein('run', '--no-sandbox', '--spec', '001-login/T001', ...options, '--', 'sh', '-c', 'echo hello >hello.txt')

test('features, what is wrong with them, and a task whose job proves it done, which is ticked on a branch', async () => {
  expect((await skein('spec', 'list')).stdout).toMatch(/001-login +0\/2 +1\/1 +0 +1 +Feature Specification: Sign in/)
  const checked = await skein('spec', 'check')
  expect(checked).toMatchObject({ code: 1, stderr: '' })
  expect(checked.stdout).toMatch(/^specs\/001-login\/tasks.md:6 error ..\/out.txt is outside the repository/)
  const refused = await skein('spec', 'tick', '001-login', 'T001')
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('No job was for T001.') })
  expect(await work()).toMatchObject({ code: 0 })
  expect((await skein('spec', 'tick', '001-login', 'T001')).stderr).toContain('without a check')
  expect(await work('--check', 'test -s hello.txt')).toMatchObject({ code: 0 })
  expect((await skein('spec', 'show', '001-login')).stdout).toMatch(
    /☐ T001 Write hello.txt for FR-001 succeeded, 1\/1 checks green \(/,
  )
  const list = async (query: { spec?: string; repository?: string; limit?: number; cursor?: string }) => {
    const { items, nextCursor } = await node.client.listJobs({ query })
    return { count: items.length, states: items.map(({ state }) => state), nextCursor }
  }
  const all = { count: 2, states: ['succeeded', 'succeeded'], nextCursor: null }
  expect(await list({ spec: '001-login' })).toEqual(all)
  expect(await list({ spec: '001-login', repository: repository.path })).toEqual(all)
  expect(await list({ spec: '002-none' })).toMatchObject({ count: 0 })
  const { nextCursor } = await list({ spec: '001-login', limit: 1 })
  expect(await list({ spec: '001-login', limit: 1, cursor: nextCursor ?? '' })).toMatchObject({ count: 1, nextCursor: null })
  expect((await skein('jobs', '--spec', 'specs/001-login', '--repo', '.', '--json')).stdout).toContain(`"feature":"001-login"`)
  expect(await skein('jobs', '--spec', '002-none')).toMatchObject({ code: 0, stderr: expect.stringContaining('No such jobs.') })
  expect(await skein('jobs', '--spec', '001-login/T001')).toMatchObject({ code: 2, stderr: expect.stringContaining('001-login') })
  expect((await skein('jobs', 'specs')).stdout).toMatch(/001-login +2 /)
  const specs = [{ feature: '001-login', repository: repository.path, jobs: 2 }]
  expect(await node.client.listJobSpecs({ query: { limit: 1 } })).toEqual({ items: specs, nextCursor: null })
  await expect(list({ repository: repository.path })).rejects.toMatchObject({ code: 'invalid_request' })
  const before = readFileSync(join(repository.path, TASKS), 'utf8')
  const ticked = await skein('spec', 'tick', '001-login', 'T001', '--json')
  const { branch } = JSON.parse(ticked.stdout) as { branch: string }
  expect(repository.git('cat-file', 'blob', `${branch}:${TASKS}`)).toBe(before.replace('[ ] T001', '[x] T001'))
  expect([readFileSync(join(repository.path, TASKS), 'utf8'), repository.git('status', '--porcelain')]).toEqual([before, ''])
})

test('what is reworded is not proven by what was done before, nor by doing that once more', async () => {
  const tasks = readFileSync(join(repository.path, TASKS), 'utf8')
  const wordings = async () => {
    const query = { repository: repository.path }
    const { tasks: shown } = await node.client.getSpec({ params: { feature: '001-login' }, query })
    return shown.find(({ id }) => id === 'T001')?.job
  }
  expect(await wordings()).toMatchObject({ wording: 'same', commands: [{ command: 'test -s hello.txt', verdict: 'fixed' }] })
  repository.write(TASKS, tasks.replace('Write hello.txt for FR-001', 'Write hello.txt and goodbye.txt for FR-001'))
  expect((await skein('spec', 'show', '001-login')).stdout).toContain('for other words than these')
  const refused = await skein('spec', 'tick', '001-login', 'T001')
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('does not ask for what it asked for when job') })
  const { jobId = '' } = (await wordings()) ?? {}
  const again = await node.client.retryJob({ params: { id: jobId } })
  expect(again.jobId).not.toBe(jobId)
  await expect.poll(async () => (await wordings())?.state, { timeout: 60_000 }).toBe('succeeded')
  expect(await wordings()).toMatchObject({ jobId: again.jobId, wording: 'changed' })
  expect(await work('--check', 'test -s hello.txt')).toMatchObject({ code: 0 })
  expect(await wordings()).toMatchObject({ wording: 'same' })
  const { branch } = JSON.parse((await skein('spec', 'tick', '001-login', 'T001', '--json')).stdout) as { branch: string }
  expect(repository.git('log', '-1', '--format=%B', branch)).toContain('checks test -s hello.txt (red before, green after)')
})

test('with the repository open in an editor it is shown there', async () => {
  const socket = new WebSocket(node.url.replace('http', 'ws') + STREAM_PATH, {
    headers: { authorization: `Bearer ${node.token}` },
  })
  const messages: ServerMessage[] = []
  socket.on('message', data => {
    messages.push(ServerMessage.parse(JSON.parse(String(data))))
    socket.emit('took')
  })
  const next = async (type: ServerMessage['type']) => {
    for (;;) {
      const found = messages.find(message => message.type === type)
      if (found) return found
      await once(socket, 'took')
    }
  }
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'subscribe', subscription: 1, topic: { name: 'specs', repository: repository.path } }))
  await next('subscribed')
  const answer = await skein('spec', 'tick', '001-login', 'T001')
  expect(answer).toMatchObject({ code: 0, stdout: expect.stringContaining('editor') })
  const { cursor, payload } = await next('offer')
  expect(payload).toMatchObject({ subscription: 1, offer: { id: cursor, feature: '001-login', documents: [{ path: TASKS }] } })
  socket.close()
  await once(socket, 'close')
  rmSync(join(repository.path, TASKS))
  expect((await skein('spec', 'tick', '001-login', 'T001')).stderr).toContain('has no task T001')
})
