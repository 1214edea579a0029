import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { JobEvent, type JobRequest } from '#shared/model/index.ts'
import { hasSandbox } from '../e2e/node.ts'
import { makeRepository, processesNaming, startNode } from './node.ts'

const roots: string[] = []
afterAll(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true })
})

const jobIn = (repository: string): JobRequest => ({
  task: 'add a line',
  agent: 'command',
  argv: ['sh', '-c', 'echo three >> a.txt; echo said'],
  repository: { path: repository, include: 'changes' },
  checks: [['grep', '-q', 'three', 'a.txt']],
})

/** SKEIN_FIRST_STEP goes straight to a step that failed; SKEIN_TRACE names each step as it is survived. */
const FIRST = Number(process.env.SKEIN_FIRST_STEP ?? 1)

/** Everything that must hold once a job has ended, whatever happened on the way. */
function expectWhole(input: { dataDir: string; repository: string; id: string; where: string }): void {
  const { dataDir, repository, id, where } = input
  const git = (...args: string[]) => execFileSync('git', ['-C', repository, ...args], { encoding: 'utf8' })
  expect(git('show', `refs/skein/jobs/${id}:a.txt`), where).toBe('two\nthree\n')
  expect(git('show', `refs/skein/jobs/${id}:b.txt`), where).toBe('new\n')
  expect(git('status', '--porcelain'), where).toBe(' M a.txt\n?? b.txt\n')
  expect(readdirSync(join(dataDir, 'attempts')), where).toEqual([])
  expect(processesNaming(dataDir), where).toEqual([])
}

/** Lets a node die at a step, lets another take over, and looks at what came of the job. @returns false when the job ended before that step. */
async function dieAndRecover(dieAt: number): Promise<string | null> {
  const { root, repository, dataDir } = makeRepository()
  roots.push(root)
  const first = startNode(dataDir, dieAt)
  if (await first.wait('ready')) first.submit('the-key', jobIn(repository))
  const before = await first.wait('accepted')
  const sealed = before && (await first.wait('sealed'))
  if (sealed) {
    await first.stop()
    if (first.lastWords() === '') return null
  }
  const where = `step ${dieAt}: ${first.lastWords()}`
  await first.kill()

  const second = startNode(dataDir, 0)
  expect(await second.wait('ready'), `${where}; second node: ${second.lastWords()}`).not.toBeNull()
  second.submit('the-key', jobIn(repository))
  const after = await second.wait('accepted')
  expect(after, `${where}; second node: ${second.lastWords()}`).not.toBeNull()
  if (before) expect(after?.id, where).toBe(before.id)
  const id = after?.id ?? ''
  expect(await second.wait('sealed', report => report.id === id), `${where}; second node: ${second.lastWords()}`).not.toBeNull()
  const events = (await second.events(id)).map(event => JobEvent.parse(event))
  await second.stop()

  expect(
    events.map(({ n }) => n),
    where,
  ).toEqual(events.map((_, index) => index + 1))
  expect(events.filter(({ body }) => body.type === 'result.accepted').length, where).toBe(1)
  const last = events.flatMap(({ body }) => (body.type === 'job.state' ? [body] : [])).at(-1)
  expect(last?.to, `${where}: ${JSON.stringify(last)}`).toBe('succeeded')
  expectWhole({ dataDir, repository, id, where })
  rmSync(root, { recursive: true, force: true })
  return where
}

describe.skipIf(!hasSandbox)('kill -9 at every step of a job', () => {
  it('loses no job, accepts one result, and leaves nothing behind', { timeout: 900_000 }, async () => {
    const survived: string[] = []
    let next = FIRST
    let finished = false
    const lane = async () => {
      while (!finished) {
        const dieAt = next
        next += 1
        const where = await dieAndRecover(dieAt)
        if (where === null) finished = true
        else survived.push(where)
        if (process.env.SKEIN_TRACE) console.error(where)
      }
    }
    await Promise.all([lane(), lane()])
    console.log(`${survived.length} steps, each survived`)
    // A job has many more steps than this; fewer would mean that the wrapping saw nothing.
    if (FIRST === 1) expect(survived.length).toBeGreaterThan(40)
  })
})
