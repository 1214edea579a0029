import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Executor } from '#server/executors/index.ts'
import {
  openContainerExecutor,
  openProcessExecutor,
  openWorkshop,
  runIn,
  type Workshop,
  whyNoContainers,
  whyNoSandbox,
} from '../contract/executor-workshop.ts'
import { escapesOutside, furnish, hasEscaped, openTarget } from './escapes.ts'
import { PROBES, type ProbedKind, type Target } from './probes.ts'

const PAGE = new URL('../../docs/security.md', import.meta.url)
const isRoot = process.getuid?.() === 0

const processes = await openProcessExecutor()
/** Whose sandboxes are tried, and how Node.js is called inside. */
const KINDS: readonly { kind: ProbedKind; missing: string | null; executor: () => Executor; node: string }[] = [
  {
    kind: 'process',
    missing: await whyNoSandbox(processes.executor),
    executor: () => processes.executor,
    node: process.execPath,
  },
  { kind: 'container', missing: await whyNoContainers(), executor: openContainerExecutor, node: 'node' },
]

const { target, close } = await openTarget()
afterAll(async () => {
  await close()
  await processes.close()
})

// A probe that cannot succeed proves nothing when it fails.
describe('without a sandbox a hostile program can', () => {
  for (const probe of PROBES) {
    test.skipIf((probe.root && !isRoot) || probe.possible?.({ ...target, node: process.execPath }) === false)(
      probe.attempt,
      async () => expect(await escapesOutside(probe, target)).toBe(true),
    )
  }
})

describe.each(KINDS)('in a sandbox of executor $kind a hostile program cannot', ({ kind, missing, executor, node }) => {
  let workshop: Workshop
  const rows: string[] = []
  const inside: Target = { ...target, node }
  beforeAll(async () => {
    workshop = await openWorkshop(executor())
  })
  afterAll(() => workshop[Symbol.asyncDispose]())

  for (const probe of PROBES) {
    const wall = probe.walls[kind]
    const may = typeof wall === 'string' ? null : wall.harmless
    test.skipIf(missing)(`${probe.attempt}${may === null ? '' : ' (but it may)'}`, async () => {
      const spec = await workshop.spec()
      await furnish(spec.workTree)
      const { stdout } = await runIn(await workshop.sandbox(spec), probe.argv(inside))
      if (may === null) expect(hasEscaped(stdout)).toBe(false)
      const outside = `works${probe.root ? ' (as root)' : ''}`
      rows.push(`| ${probe.attempt} | ${outside} | ${may === null ? `blocked | ${wall}` : `may work | ${may}`} |`)
    })
  }

  test.skipIf(missing)('and the table in docs/security.md is what was just seen', async () => {
    const page = await readFile(PAGE, 'utf8')
    const begin = `<!-- probes of ${kind} -->\n`
    const [before = '', rest = ''] = page.split(begin)
    const after = rest.slice(rest.indexOf('<!-- end of probes -->'))
    const head = ['| attempt | without a sandbox | in one | stopped by |', '|---|---|---|---|']
    const fresh = before + begin + [...head, ...rows, ''].join('\n') + after
    if (process.env.UPDATE) await writeFile(PAGE, fresh)
    else expect(page, 'stale: run this test with UPDATE=1').toBe(fresh)
  })
})
