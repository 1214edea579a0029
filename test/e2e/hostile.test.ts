import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { processesNaming } from '../faults/node.ts'
import { hasSandbox, makeRepository, startNode } from './node.ts'

const MiB = 1024 * 1024
const sh = (script: string) => ({ agent: 'command', argv: ['sh', '-c', script] })

/** Every file below a directory, as bytes that can be searched. */
function everything(directory: string): Buffer {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map(name => join(directory, name))
  return Buffer.concat(files.filter(file => statSync(file).isFile()).map(file => readFileSync(file)))
}

describe.skipIf(!hasSandbox)('agents that mean no good', () => {
  it.each(['process', 'none'] as const)(
    'that fork, daemonise and ignore SIGTERM are ended with all they started (sandbox: %s)',
    async isolation => {
      await using node = await startNode()
      const script = `trap '' TERM; (setsid sh -c 'trap "" TERM; while true; do sleep 1; done' >/dev/null 2>&1 &) ; echo started; while true; do sleep 1; done`
      const { jobId } = await node.client.createJob({
        body: { ...sh(script), ...(isolation === 'none' ? { sandbox: 'none' } : {}) },
      })
      await node.until(jobId, ({ body }) => body.type === 'attempt.process')
      await node.client.cancelJob({ params: { id: jobId } })
      const { job } = await node.finish(jobId)
      expect(job.state).toBe('cancelled')
      expect(processesNaming(jobId)).toEqual([])
    },
  )

  it('that leave a daemon behind and exit 0 do not hang the job', async () => {
    await using node = await startNode()
    const { job } = await node.run(sh('(setsid sleep 1000 &); echo bye'))
    expect(job.state).toBe('succeeded')
    expect(processesNaming(job.id)).toEqual([])
  })

  it('that write a gigabyte of log fill no disk and no memory', async () => {
    await using node = await startNode()
    const before = process.memoryUsage().rss
    const { job, events } = await node.run({
      ...sh('head -c 1073741824 /dev/zero | tr "\\\\0" x; echo done'),
      limits: { logBytes: MiB },
    })
    expect(job.state).toBe('succeeded')
    expect(job.result?.logBytes).toBeLessThan(MiB + 4096)
    expect(events.some(({ body }) => body.type === 'warning' && body.code === 'log_limit')).toBe(true)
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * MiB)
  })

  it('that print invalid UTF-8 and terminal escapes change no byte of the log', async () => {
    await using node = await startNode()
    const { job } = await node.run(sh(`printf '\\377\\376\\033]0;owned\\007\\033[2J\\303('`))
    const bytes = Buffer.from(await (await node.client.readLog({ params: { id: job.id } })).arrayBuffer())
    expect(bytes.includes(Buffer.from('\xff\xfe\x1b]0;owned\x07\x1b[2J\xc3(', 'latin1'))).toBe(true)
  })

  it.each([
    ['an absolute symlink', 'ln -s /etc/passwd leak'],
    ['a relative one that leaves the tree', 'ln -s ../../../../etc/passwd leak'],
    ['one through another', 'mkdir d && ln -s . d/here && ln -s d/here/../../.. leak'],
  ])('that make %s have failed', async (_, script) => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode()
    const { job } = await node.run({ ...sh(script), repository: { path: repository.path } })
    expect(job).toMatchObject({ state: 'failed', failure: { code: 'unsafe_path' }, result: null })
    expect(job.failure?.detail).toContain('leak')
  })

  it('that delete or poison .git still give a result', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode()
    const deleted = await node.run({ ...sh('rm -rf .git; echo b > a.txt'), repository: { path: repository.path } })
    expect(deleted.job.state).toBe('succeeded')
    expect(repository.git('show', `refs/skein/jobs/${deleted.job.id}:a.txt`)).toBe('b\n')
    const marker = join(node.dataDir, 'owned')
    const poison = `git config core.fsmonitor "touch ${marker}"; git config core.hooksPath hooks; mkdir -p hooks; printf '#!/bin/sh\\ntouch ${marker}\\n' > hooks/pre-commit; chmod +x hooks/pre-commit
      git config filter.x.clean "touch ${marker}"; echo '*.txt filter=x' > .gitattributes; echo c > a.txt`
    const poisoned = await node.run({ ...sh(poison), repository: { path: repository.path } })
    expect(poisoned.job.state).toBe('succeeded')
    expect(repository.git('show', `refs/skein/jobs/${poisoned.job.id}:a.txt`)).toBe('c\n')
    expect(readdirSync(node.dataDir)).not.toContain('owned')
  })

  it('that fill the disk are ended at their limit', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode()
    const script = 'i=0; while true; do i=$((i+1)); head -c 1000000 /dev/zero > big$i || exit 1; sleep 0.01; done'
    const { job } = await node.run({ ...sh(script), repository: { path: repository.path }, limits: { diskBytes: 20 * MiB } })
    expect(job).toMatchObject({ state: 'failed', failure: { code: 'limit_disk' } })
  })

  it.each([
    ['in the work tree', "'.'", 'failed'],
    ['in their home', 'process.env.HOME', 'succeeded'],
  ])('that make a tree too deep to be named %s leave nothing behind', async (_, where, state) => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode()
    const script = `process.chdir(${where})
      for (let i = 0; i < 20; i++) { fs.mkdirSync('d'.repeat(250)); process.chdir('d'.repeat(250)) }
      fs.writeFileSync('file', 'deep')`
    const { job } = await node.run({ agent: 'command', argv: ['node', '-e', script], repository: { path: repository.path } })
    expect(job).toMatchObject({ state })
    await node.restart()
    await expect.poll(() => readdirSync(join(node.dataDir, 'attempts')), { timeout: 20_000 }).toEqual([])
  })

  it('that exit 0 without changes are told apart from those that did something', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode()
    const { job } = await node.run({ ...sh('true'), repository: { path: repository.path }, checks: [['true']] })
    expect(job).toMatchObject({
      state: 'succeeded',
      result: { commit: null, ref: null, warnings: [{ code: 'no_changes' }], checks: [{ verdict: 'vacuous' }] },
    })
  })
})

describe.skipIf(!hasSandbox)('secrets of the node', () => {
  const SECRET = 'sk-planted-0123456789abcdef'

  it('appear in no log, event, result or file, however the agent prints them', async () => {
    using repository = makeRepository({
      'print.sh': `printf 'sk-planted-'; sleep 0.05; echo 0123456789abcdef; echo ${Buffer.from(SECRET).toString('base64')}\n`,
    })
    await using node = await startNode({}, { OPENAI_API_KEY: SECRET, OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' })
    const { job, events, log } = await node.run({ ...sh('sh print.sh; env'), repository: { path: repository.path } })
    expect(job.state).toBe('succeeded')
    expect(log).toContain('[secret OPENAI_API_KEY]')
    for (const text of [log, JSON.stringify(events), JSON.stringify(job)]) expect(text).not.toContain(SECRET)
    // The repository itself has the halves, and its check-out goes a little later; what the node wrote must not have the whole.
    await expect.poll(() => readdirSync(join(node.dataDir, 'attempts')), { timeout: 20_000 }).toEqual([])
    expect(everything(node.dataDir).includes(SECRET)).toBe(false)
    expect(everything(node.dataDir).includes(Buffer.from(SECRET).toString('base64').slice(0, -4))).toBe(false)
  })

  it('are refused in a request and in a result', async () => {
    using repository = makeRepository({ 'a.txt': 'a\n' })
    await using node = await startNode({}, { OPENAI_API_KEY: SECRET, OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' })
    const leak = node.client.createJob({ body: { ...sh('true'), env: { KEY: SECRET } } })
    await expect(leak).rejects.toMatchObject({ code: 'secret_in_request', message: expect.not.stringContaining(SECRET) })
    const half = SECRET.slice(0, 12)
    const { job } = await node.run({
      ...sh(`printf '%s%s' ${half} ${SECRET.slice(12)} > stolen.txt`),
      repository: { path: repository.path },
    })
    expect(job).toMatchObject({
      state: 'failed',
      failure: { code: 'secret_in_result', detail: expect.stringContaining('stolen.txt') },
    })
    expect(() => repository.git('rev-parse', '--verify', `refs/skein/jobs/${job.id}`)).toThrow()
  })
})
