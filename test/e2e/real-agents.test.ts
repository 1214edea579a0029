import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Step, startScriptedModel } from '#demo/scripted-model.ts'
import { chooseWorkDir } from '#server/executors/process/bubblewrap.ts'
import { nodePaths } from '#server/executors/process/system.ts'
import type { JobEvent } from '#shared/model/index.ts'
import { hasSandbox, makeRepository, startNode } from './node.ts'
import { SHOP } from './shop.ts'

const SKEIN = resolve(import.meta.dirname, '../../cli/main.ts')
const labBin = resolve(import.meta.dirname, '../lab/agents/node_modules/.bin')
const path = `${process.env.PATH ?? ''}${delimiter}${labBin}`
const isHere = (command: string) => path.split(delimiter).some(directory => existsSync(`${directory}/${command}`))
const AGENTS = ['opencode', 'qwen', 'copilot'].map(id => [id, isHere(id)] as const)
for (const [id, here] of AGENTS) if (!here) console.warn(`skipped: ${id} is not on PATH (npm install --prefix test/lab/agents)`)

/** As a sandbox that shows this Node.js and the agents names it: two of them want absolute paths. */
const FILE = `${chooseWorkDir([...nodePaths(), labBin])}/price.js`
const BEFORE = 'cents - cents * percent'
const AFTER = 'cents - (cents * percent) / 100'
const RUN = { command: 'node --test', description: 'Run the tests' }
/** Reads, edits, runs the test and says so, in the names that each agent has for its tools. */
const session: readonly Step[] = [
  { tools: { read: { filePath: FILE }, read_file: { file_path: FILE }, view: { path: FILE } } },
  {
    tools: {
      edit: {
        ...{ filePath: FILE, oldString: BEFORE, newString: AFTER },
        ...{ file_path: FILE, old_string: BEFORE, new_string: AFTER },
        ...{ path: FILE, old_str: BEFORE, new_str: AFTER },
      },
    },
  },
  { tools: { bash: RUN, run_shell_command: { ...RUN, is_background: false } } },
  { text: 'It divides by 100 now, and the test passes.' },
]

/** How many calls of tools came to their end. */
const toolsOf = (events: readonly JobEvent[]): number =>
  new Set(events.flatMap(({ body }) => (body.type === 'agent.tool' && body.status === 'completed' ? [body.toolCallId] : []))).size

describe.skipIf(!hasSandbox)('real agents in the real sandbox', () => {
  describe.each(AGENTS)('%s', (agent, here) => {
    it.skipIf(!here)(
      'mends a test by tool calls of a scripted model, through the gateway and nothing else',
      async () => {
        await using model = await startScriptedModel({ steps: session })
        using repository = makeRepository(SHOP)
        await using node = await startNode({}, { PATH: path, OPENAI_BASE_URL: `${model.url}/v1` })
        const { job, events, log } = await node.run({
          task: 'Make the test pass',
          agent,
          repository: { path: repository.path },
          checks: [['node', '--test']],
        })
        expect(job.failure, log).toBeNull()
        expect(job.result).toMatchObject({
          isolation: 'process',
          agent: { id: agent, version: expect.stringMatching(/^\d+\.\d+/) },
          model: 'scripted',
          checks: [{ verdict: 'fixed' }],
        })
        expect(job.result?.usage.outputTokens).toBeGreaterThan(0)
        expect(toolsOf(events)).toBe(3)
        const said = events.flatMap(({ body }) => (body.type === 'agent.message' ? [body.text] : [])).join('')
        expect(said).toContain('divides by 100 now')
        expect(log).toContain('divides by 100 now')
        expect(repository.git('diff', '--stat', 'HEAD', `refs/skein/jobs/${job.id}`)).toContain('1 file changed')
      },
      180_000,
    )

    it.skipIf(!here)(
      'asks the person at the terminal, who says yes and then no',
      async () => {
        await using model = await startScriptedModel({ steps: session })
        using repository = makeRepository(SHOP)
        await using node = await startNode({}, { PATH: path, OPENAI_BASE_URL: `${model.url}/v1` })
        const command = [process.execPath, SKEIN, 'run', 'Make the test pass', '--agent', agent, '--permissions', 'ask']
        // A terminal of its own, as a person has.
        const person = spawn(
          'script',
          ['--quiet', '--return', '--command', command.map(word => `'${word}'`).join(' '), '/dev/null'],
          {
            cwd: repository.path,
            env: { PATH: process.env.PATH, HOME: node.dataDir, SKEIN_DATA_DIR: node.dataDir, TERM: 'dumb' },
            stdio: ['pipe', 'pipe', 'inherit'],
          },
        )
        let screen = ''
        let asked = 0
        const answers = ['y\n', 'n\n']
        person.stdout.setEncoding('utf8').on('data', text => {
          screen += text
          for (const count = screen.split('y or n:').length - 1; asked < count; asked++)
            person.stdin.write(answers[asked] ?? 'n\n')
        })
        await once(person, 'close')
        const [job] = (await node.client.listJobs({ query: { limit: 1 } })).items
        const { items } = await node.client.listEvents({ params: { id: job?.id ?? '' }, query: { limit: 500 } })
        const answered = items.flatMap(({ body }) =>
          body.type === 'permission.answered' ? [[body.by, body.optionId !== null]] : [],
        )
        expect(answered.slice(0, 2), screen).toEqual([
          ['person', true],
          ['person', true],
        ])
        // The edit was allowed, the test was not run.
        expect(repository.git('show', `refs/skein/jobs/${job?.id}:price.js`)).toContain('/ 100')
        expect(toolsOf(items)).toBe(2)
      },
      180_000,
    )
  })
})
