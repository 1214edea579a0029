import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startScriptedModel } from '#demo/scripted-model.ts'
import { fleetNode, pair } from './fleet.ts'
import { hasSandbox, makeRepository, type TestNode, type TestRepository } from './node.ts'

const program = resolve(import.meta.dirname, '../../cli/main.ts')
const fakeAgent = fileURLToPath(new URL('../fakes/acp-agent.mjs', import.meta.url))

interface Said {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `skein` against a node, in a repository. @param seen called with all that was printed, when there is more */
async function skein(
  node: TestNode,
  argv: readonly string[],
  options: { cwd?: string; seen?: (text: string) => void } = {},
): Promise<Said> {
  const [command = '', ...rest] = argv
  const args = [program, command, '--url', node.url, '--token', node.token, ...rest]
  const child = spawn(process.execPath, args, {
    cwd: options.cwd ?? '/',
    env: { PATH: process.env.PATH, HOME: node.dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', text => {
      said[stream] += text
      options.seen?.(said.stdout + said.stderr)
    })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...said }
}

/** Fulfils with the first match in what a command prints. */
function waitFor(pattern: RegExp): { seen: (text: string) => void; found: Promise<RegExpExecArray> } {
  const { promise, resolve: find } = Promise.withResolvers<RegExpExecArray>()
  return {
    found: promise,
    seen(text) {
      const match = pattern.exec(text)
      if (match) find(match)
    },
  }
}

describe.skipIf(!hasSandbox)('a person with a laptop and two more machines', () => {
  let laptop: TestNode
  let desktop: TestNode
  let cupboard: TestNode
  let repository: TestRepository
  beforeAll(async () => {
    ;[laptop, desktop, cupboard] = await Promise.all([
      fleetNode('laptop'),
      fleetNode('desktop', { 'node.labels': { place: 'office' } }),
      fleetNode('cupboard'),
    ])
    repository = makeRepository({ 'a.txt': 'one\n' })
  })
  afterAll(async () => {
    await Promise.all([laptop, desktop, cupboard].map(node => node?.[Symbol.asyncDispose]()))
    repository?.[Symbol.dispose]()
  })
  const run = (...argv: string[]) => skein(laptop, ['run', ...argv], { cwd: repository.path })

  it('pairs them by a code, and sees what each offers', async () => {
    expect((await skein(laptop, ['peers'])).stderr).toContain('No peers yet')
    for (const node of [desktop, cupboard]) {
      const shown = await skein(node, ['pair'])
      const code = shown.stdout.trim()
      expect(shown.stderr).toContain(`skein peers add ${node.url} ${code}`)
      // As a person types it: without the scheme.
      const added = await skein(laptop, ['peers', 'add', new URL(node.url).host, code])
      expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining('takes jobs of this node now') })
    }
    const { stdout } = await skein(laptop, ['peers'])
    expect(stdout).toMatch(/desktop +● online +ours there .*process.*place=office/)
    expect(stdout).toMatch(/cupboard +● online/)
    expect((await skein(desktop, ['peers'])).stdout).toMatch(/laptop +● online +theirs here/)
    const wrong = await skein(laptop, ['peers', 'add', 'http://desktop/some/path', 'AAAA'])
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('is no address of a node') })
  })

  it('runs a job elsewhere on a copy of what is not committed, and finds everything at home', async () => {
    repository.write('a.txt', 'one\ndirty\n')
    const script = 'echo working; echo two >> a.txt'
    const ran = await run('--changes', '--not-on', 'laptop', '--check', 'grep -q two a.txt', '--', 'sh', '-c', script)
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('working\n') })
    const [, where = ''] = /attempt 1 goes to (desktop|cupboard)/.exec(ran.stderr) ?? []
    const [, id = ''] = /^job ([0-9a-z]{14})/.exec(ran.stderr) ?? []
    expect((await skein(laptop, ['jobs', 'show', id])).stdout).toMatch(new RegExp(`node +${where}\n`))
    const why = (await skein(laptop, ['jobs', 'show', id, '--why'])).stdout
    expect(why).toContain(`✓ ${where} (asked`)
    expect(why).toContain('laptop was not asked: The job excludes it.')
    expect((await skein(laptop, ['diff', id])).stdout).toContain('\n dirty\n+two\n')
    expect(repository.git('show', `refs/skein/jobs/${id}:a.txt`)).toBe('one\ndirty\ntwo\n')
    expect(repository.git('status', '--porcelain')).toBe(' M a.txt\n')
  })

  it.each([
    ['--on', 'cupboard', 'cupboard'],
    ['--label', 'place=office', 'desktop'],
  ])('has a job run where it says: %s %s', async (flag, value, name) => {
    const ran = await run(flag, value, '--', 'true')
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining(`attempt 1 goes to ${name}`) })
  })

  it('has a job run at home: --local', async () => {
    const ran = await run('--local', '--', 'echo', 'here')
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('here\n') })
    expect(ran.stderr).not.toContain('goes to')
  })

  it('is told why no node takes a job, and may go on to do something else', async () => {
    const { seen, found } = waitFor(/waiting:\s+no node can take it now\s+.*has no GPU/)
    const running = skein(laptop, ['run', '--needs', 'gpu', '--', 'true'], { cwd: repository.path, seen })
    await found
    const { items } = await laptop.client.listJobs({ query: { limit: 1 } })
    const id = items[0]?.id ?? ''
    expect((await skein(laptop, ['jobs', 'show', id])).stdout).toMatch(/waits +no node can take it now/)
    expect((await skein(laptop, ['cancel', id])).code).toBe(0)
    expect((await running).stderr).toContain('cancelled')
  })
})

describe.skipIf(!hasSandbox)('a job that runs elsewhere', () => {
  it('asks its questions at home, where a person answers them', async () => {
    await using model = await startScriptedModel({ steps: [] })
    const agents = { opencode: { command: fakeAgent, args: [], env: { FAKE_ACP: 'well' } } }
    await using home = await fleetNode('home', { agents })
    await using worker = await fleetNode('worker', { agents }, { OPENAI_BASE_URL: `${model.url}/v1` })
    await pair(home, worker)
    using repository = makeRepository({ 'a.txt': 'one\n' })
    const { seen, found } = waitFor(/skein answer (\S+) (\S+)/)
    const running = skein(home, ['run', '--agent', 'opencode', '--on', 'worker', '--permissions', 'ask', 'do it'], {
      cwd: repository.path,
      seen,
    })
    const [, id = '', requestId = ''] = await found
    expect((await skein(home, ['answer', id, requestId, 'yes'])).code).toBe(0)
    expect(await running).toMatchObject({ code: 0 })
    expect(repository.git('show', `refs/skein/jobs/${id}:made.txt`)).toBe('made\n')
  })

  it('is read by a follower to whom both machines are restarted: every byte comes once', async () => {
    await using home = await fleetNode('home')
    await using worker = await fleetNode('worker')
    await pair(home, worker)
    const script = 'for i in $(seq 60); do echo "$SKEIN_JOB_ID line $i"; sleep 0.05; done'
    const { jobId } = await home.client.createJob({
      body: { agent: 'command', argv: ['sh', '-c', script], where: { on: ['worker'] }, maxAttempts: 5 },
    })
    const [first, second] = [waitFor(/line 10\n/), waitFor(/attempt 2[\s\S]*line 10\n/)]
    const seen = (text: string) => {
      first.seen(text)
      second.seen(text)
    }
    const following = skein(home, ['logs', '-f', '--raw', jobId], { seen })
    await first.found
    await worker.restart()
    await second.found
    await home.restart()
    const { stdout, code } = await following
    expect(code).toBe(0)
    expect(stdout).toBe(await (await home.client.readLog({ params: { id: jobId } })).text())
    expect(stdout.match(/line 60\n/g)).toHaveLength(1)
  })
})
