import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { FIX_TEST_SESSION, type Step, startScriptedModel } from '#demo/scripted-model.ts'
import type { Workload } from '#shared/model/index.ts'
import { makeRepository, startNode } from '../node.ts'
import { SHOP } from '../shop.ts'
import { type Lab, openLab, PATIENT, START_MS, TURN_MS, whyNoCluster, whyNoImage } from './lab.ts'

const SKEIN = resolve(import.meta.dirname, '../../../cli/main.ts')
const labBin = resolve(import.meta.dirname, '../../lab/agents/node_modules/.bin')
const hasOpenCode = existsSync(`${labBin}/opencode`)
if (!hasOpenCode) console.warn('skipped: opencode (npm install --prefix test/lab/agents)')
const execute = promisify(execFile)

describe.skipIf((whyNoCluster() ?? whyNoImage()) !== null)('jobs in pods of a real cluster', { timeout: 2 * START_MS }, () => {
  let lab: Lab
  let settings: Record<string, unknown>
  beforeAll(async () => {
    lab = await openLab()
    lab.loadImage('node')
    await setup()
    settings = {
      'executors.kubernetes.kubeconfig': await lab.kubeconfig('skein:skein'),
      'executors.kubernetes.imagePull': 'Never',
      'executors.kubernetes.home.port': 0,
      'executors.kubernetes.requests': { cpuCores: 0.05, memoryBytes: 2 ** 24, diskBytes: 2 ** 20 },
    }
  }, TURN_MS)
  afterAll(() => lab?.[Symbol.asyncDispose]())

  /** As somebody does who may do everything in the cluster. */
  const setup = async () => {
    const directory = await mkdtemp(join(tmpdir(), 'skein-setup-'))
    const file = join(directory, 'skein.yaml')
    await writeFile(file, JSON.stringify({ executors: { kubernetes: { kubeconfig: await lab.kubeconfig() } } }))
    const applied = await skein(
      { dataDir: directory },
      directory,
      'executors',
      'setup',
      'kubernetes',
      '--apply',
      '--config',
      file,
    )
    await rm(directory, { recursive: true })
    return applied
  }
  const left = async () => (await lab.kubectl('get', 'jobs,pods,secrets', '-n', 'skein', '-o', 'name')).trim()
  /** Plays a person at a terminal. */
  const skein = async ({ dataDir }: { dataDir: string }, cwd: string, ...argv: string[]) => {
    const env = { PATH: process.env.PATH, HOME: dataDir, SKEIN_DATA_DIR: dataDir }
    return (await execute(process.execPath, [SKEIN, ...argv], { cwd, env })).stdout
  }

  test('what is printed for a cluster is what is applied, may be applied again, and is all that is needed', async () => {
    await using node = await startNode(settings)
    const names = (text: string) => text.trim().split('\n')
    const printed = parseAllDocuments(await skein(node, node.dataDir, 'executors', 'setup', 'kubernetes')).map(
      document => document.toJS() as { kind: string; metadata: { name: string } },
    )
    expect(names(await setup())).toEqual(printed.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
    expect(printed.find(({ kind }) => kind === 'NetworkPolicy')).toMatchObject({
      spec: { ingress: [], egress: [{ ports: [{ protocol: 'TCP', port: 8090 }] }] },
    })
    expect(printed.find(({ kind }) => kind === 'ResourceQuota')).toMatchObject({
      spec: { hard: { pods: '20', 'requests.cpu': '10' } },
    })
    const file = join(node.dataDir, 'skein.yaml')
    const kubernetes = {
      kubeconfig: settings['executors.kubernetes.kubeconfig'],
      image: 'localhost/node:24',
      imagePull: 'Never',
    }
    await writeFile(file, JSON.stringify({ executors: { kubernetes } }))
    const report = JSON.parse(await skein(node, node.dataDir, 'doctor', '--try', '--json', '--config', file))
    expect(report.sandboxes).toContainEqual(
      expect.objectContaining({
        kind: 'kubernetes',
        available: true,
        detail: expect.stringContaining('namespace skein'),
        trial: { ok: true, detail: expect.stringContaining('a program ran in a new one'), remedy: null },
      }),
    )
    const { stderr } = (await skein(node, node.dataDir, 'executors', 'setup', 'kubernetes', '--apply', '--config', file).catch(
      error => error as { stderr: string },
    )) as { stderr: string }
    expect(stderr).toContain('cannot patch')
    expect(stderr).toContain('apply what `skein executors setup kubernetes` prints')
  })

  test('an agent mends a test in a pod, by a model it reaches through its home alone; nothing is left in the cluster', async () => {
    await using model = await startScriptedModel({ steps: FIX_TEST_SESSION })
    using repository = makeRepository(SHOP)
    await using node = await startNode(settings, { OPENAI_BASE_URL: `${model.url}/v1` })
    const image = ['--executor', 'kubernetes', '--image', 'localhost/node:24']
    const work = ['Make the test pass', '--agent', 'builtin', '--check', 'node --test']
    const said = await skein(node, repository.path, 'run', ...work, ...image)
    expect(said).toContain('check 1 exited with code 0')
    const [listed] = (await node.client.listJobs({ query: { limit: 1 } })).items
    const job = await node.client.getJob({ params: { id: listed?.id ?? '' } })
    expect(job.result).toMatchObject({
      executor: 'kubernetes',
      isolation: 'container',
      agent: { id: 'builtin' },
      checks: [{ verdict: 'fixed' }],
      diffStat: { files: 1 },
    })
    expect(job.result?.usage.requests).toBeGreaterThan(1)
    expect(repository.git('diff', '--stat', 'HEAD', `refs/skein/jobs/${job.id}`)).toContain('1 file changed')
    await expect.poll(left, PATIENT).toBe('')
  })

  test.skipIf(!hasOpenCode)('OpenCode of the image mends it too', async () => {
    lab.loadImage('agent')
    const file = '/skein/work/price.js'
    const steps: readonly Step[] = [
      { tools: { read: { filePath: file } } },
      { tools: { edit: { filePath: file, oldString: 'cents * percent', newString: '(cents * percent) / 100' } } },
      { tools: { bash: { command: 'node --test', description: 'Run the tests' } } },
      { text: 'It divides by 100 now, and the test passes.' },
    ]
    await using model = await startScriptedModel({ steps })
    using repository = makeRepository(SHOP)
    const path = `${process.env.PATH ?? ''}${delimiter}${labBin}`
    await using node = await startNode(settings, { PATH: path, OPENAI_BASE_URL: `${model.url}/v1` })
    const { job, log } = await node.run({
      task: 'Make the test pass',
      agent: 'opencode',
      executor: 'kubernetes',
      image: 'localhost/agent:1',
      repository: { path: repository.path },
      checks: [['node', '--test']],
    })
    expect(job.failure, log).toBeNull()
    expect(job.result).toMatchObject({ executor: 'kubernetes', agent: { id: 'opencode' }, checks: [{ verdict: 'fixed' }] })
    expect(log).toContain('divides by 100 now')
  })

  test('a person sees where a job runs and what it uses, and frees its place: it is placed again', async () => {
    using repository = makeRepository(SHOP)
    await using node = await startNode(settings)
    const { jobId } = await node.client.createJob({
      body: {
        task: 'Wait',
        agent: 'command',
        argv: ['sh', '-c', 'echo ready; sleep 1000'],
        executor: 'kubernetes',
        image: 'localhost/node:24',
        repository: { path: repository.path },
      },
    })
    const workload = async (): Promise<Workload | undefined> =>
      JSON.parse(await skein(node, repository.path, 'workloads', '--json')).items[0]
    await expect.poll(workload, PATIENT).toMatchObject({
      id: `kubernetes:${jobId}.1.agent`,
      state: 'running',
      jobId,
      image: 'localhost/node:24',
      machine: 'lab',
      memoryBytes: expect.any(Number),
    })
    expect(await skein(node, repository.path, 'workloads')).toContain('localhost/node:24 · lab')
    expect(await skein(node, repository.path, 'evict', jobId)).toContain('placed again')
    await expect.poll(workload, PATIENT).toMatchObject({ id: `kubernetes:${jobId}.2.agent`, state: 'running' })
    await node.client.cancelJob({ params: { id: jobId } })
    const { job, events } = await node.finish(jobId)
    expect(job.state).toBe('cancelled')
    expect(events.some(({ body }) => body.type === 'attempt.lost' && body.reason.includes('A person'))).toBe(true)
    await expect.poll(left, PATIENT).toBe('')
  })
})
