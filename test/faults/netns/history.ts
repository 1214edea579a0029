import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { isAttempt, type Job, type JobEvent, mayMove } from '#shared/model/index.ts'
import { processesNaming } from '../node.ts'
import type { Machine } from './machine.ts'

/** Lines an attempt writes, and how long it waits after each, s. */
const LINES = 40
const BETWEEN_S = 0.04
/** The same words in a file of the result, so that what arrived can be held against what was said. */
const WITNESS = 'said.txt'

/** Says who it is, counts, and says the same into a file; what it was given it adds to. */
export const argvOf = (mark: string): string[] => {
  const says = `say() { echo "$1"; echo "$1" >> ${WITNESS}; }`
  const counts = `for i in $(seq ${LINES}); do say "$id line $i"; sleep ${BETWEEN_S}; done`
  return ['sh', '-c', `${says}; id=$(cat /proc/sys/kernel/random/uuid); ${counts}; echo ${mark} >> a.txt`]
}

/** Waits for a job to end, its result to be delivered and its log to be final, while its home comes and goes. */
export async function ended({ client }: Machine, id: string): Promise<Job> {
  for (;;) {
    const { items } = await client.listEvents({ params: { id }, query: { limit: 1000 } }).catch(() => ({ items: [] }))
    if (items.at(-1)?.body.type === 'log.sealed') return client.getJob({ params: { id } })
    await pause(100)
  }
}

/** Holds all that is told of a job against what is promised. */
export async function checkJob({ client }: Machine, repository: string, job: Job, mark: string): Promise<void> {
  const { id } = job
  const { items } = await client.listEvents({ params: { id }, query: { limit: 1000 } })
  const history = `${id}\n${items.map(({ n, body }) => `${n} ${JSON.stringify(body).slice(0, 200)}`).join('\n')}`
  expect(job.failure, history).toBeNull()
  expect(job.state, history).toBe('succeeded')
  checkEvents(items, history)

  const said = show(repository, id, WITNESS)
  const log = Buffer.from(await (await client.readLog({ params: { id } })).arrayBuffer())
  const begin = log.indexOf(said.subarray(0, said.indexOf('\n')))
  expect(hashOf(log.subarray(begin, begin + said.byteLength)), history).toBe(hashOf(said))
  checkLines(log.toString(), history)
  expect(log.byteLength, history).toBe(job.result?.logBytes)
  expect(show(repository, id, 'a.txt').toString(), history).toBe(`two\n${mark}\n`)
}

/** One after another, along the arrows of a job, under an epoch that only rises, with one result. */
function checkEvents(events: readonly JobEvent[], history: string): void {
  expect(
    events.map(({ n }) => n),
    history,
  ).toEqual(events.map((_, index) => index + 1))
  let state: Job['state'] = 'queued'
  let epoch = 0
  for (const { body } of events) {
    if (body.type === 'job.state') {
      expect(body.from, history).toBe(state)
      expect(mayMove(body.from, body.to), history).toBe(true)
      state = body.to
    }
    // A refused result is the one thing that is told of an attempt that is over.
    if (!('epoch' in body) || body.type === 'result.refused') continue
    expect(body.epoch, history).toBeGreaterThanOrEqual(epoch)
    epoch = body.epoch
  }
  expect(isAttempt(state), history).toBe(false)
  expect(
    events.filter(({ body }) => body.type === 'result.accepted'),
    history,
  ).toHaveLength(1)
}

/** Every attempt's lines count from 1 without a gap, and the last attempt's to the end. */
function checkLines(log: string, history: string): void {
  let [speaker, next] = ['', 1]
  for (const [, id = '', number] of log.matchAll(/([0-9a-f]{8}-[0-9a-f-]{27}) line (\d+)\n/g)) {
    if (id !== speaker) [speaker, next] = [id, 1]
    expect(Number(number), `${history}\n${log}`).toBe(next)
    next += 1
  }
  expect(next, `${history}\n${log}`).toBe(LINES + 1)
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function show(repository: string, id: string, file: string): Buffer {
  return execFileSync('git', ['-C', repository, 'show', `refs/skein/jobs/${id}:${file}`])
}

/** What a user's work tree, index and stash are, as one text. */
export function treeOf(repository: string): string {
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', repository, ...args], { encoding: 'utf8', env: { ...process.env, GIT_OPTIONAL_LOCKS: '0' } })
  const files = readdirSync(repository, { recursive: true, encoding: 'utf8' })
    .filter(name => !name.startsWith('.git'))
    .map(name => `${name} ${hashOf(readFileSync(join(repository, name)))}`)
  const index = hashOf(readFileSync(join(repository, '.git', 'index')))
  return [...files, index, git('status', '--porcelain=v2', '--branch'), git('stash', 'list'), git('branch', '--list')].join('\n')
}

/** What a node that has nothing to do still has of jobs: directories, processes. */
export function leftOn({ dataDir, life }: Machine): string[] {
  const names = (folder: string) => (existsSync(join(dataDir, folder)) ? readdirSync(join(dataDir, folder)) : [])
  const files = (folder: string) =>
    existsSync(join(dataDir, folder))
      ? readdirSync(join(dataDir, folder), { recursive: true, withFileTypes: true }).flatMap(entry =>
          entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
        )
      : []
  return [
    ...names('attempts').map(name => `attempts/${name}`),
    ...names('hosted').flatMap(name => (name === 'logs' ? [] : [`hosted/${name}`])),
    ...files('hosted/logs'),
    ...processesNaming(dataDir).flatMap(pid => (pid === life.child.pid ? [] : [`process ${pid}`])),
  ]
}
