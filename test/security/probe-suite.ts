import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { hasEscaped } from './escapes.ts'
import { type Probe, type ProbedKind, probesOf } from './probes.ts'

const PAGE = new URL('../../docs/security.md', import.meta.url)

/** One test for each probe of a kind, and one that holds the table in docs/security.md to what they saw. `tried` gives what a probe printed in a sandbox. */
export function probeSuite(kind: ProbedKind, missing: string | null, tried: (probe: Probe) => Promise<string>): void {
  const rows: string[] = []
  for (const probe of probesOf(kind)) {
    const wall = probe.walls[kind] ?? ''
    const may = typeof wall === 'string' ? null : wall.harmless
    test.skipIf(missing)(`${probe.attempt}${may === null ? '' : ' (but it may)'}`, async () => {
      const stdout = await tried(probe)
      if (may === null) expect(hasEscaped(stdout), stdout).toBe(false)
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
}
