import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openProcessExecutor, openWorkshop, runIn, type Workshop, whyNoSandbox } from '../contract/executor-workshop.ts'
import { PROBES, type Probe, TARGET_SECRET, type Target } from './probes.ts'

const PAGE = new URL('../../docs/security.md', import.meta.url)
const isRoot = process.getuid?.() === 0

const { executor, close } = await openProcessExecutor()
const missing = await whyNoSandbox(executor)

describe.skipIf(missing)('a hostile program', () => {
  let workshop: Workshop
  let target: Target
  let victim: ChildProcess
  const servers: Server[] = []
  const rows: string[] = []

  beforeAll(async () => {
    workshop = await openWorkshop(executor)
    await mkdir(join(workshop.directory, 'other-job'))
    await writeFile(join(workshop.directory, 'secret'), TARGET_SECRET)
    await writeFile(join(workshop.directory, 'precious'), '')
    victim = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', TARGET_SECRET], { stdio: 'ignore' })
    const abstractSocket = `skein-probe-${process.pid}`
    const socket = join(workshop.directory, 'socket')
    const tcp = await listen({ host: '127.0.0.1', port: 0 })
    servers.push(tcp, await listen({ path: `\0${abstractSocket}` }), await listen({ path: socket }))
    const { port } = tcp.address() as AddressInfo
    target = { directory: workshop.directory, home: homedir(), pid: victim.pid ?? 0, port, abstractSocket, socket }
  })
  afterAll(async () => {
    victim.kill('SIGKILL')
    for (const server of servers) server.close()
    await workshop[Symbol.asyncDispose]()
    await close()
  })

  const escapes = async (probe: Probe, isolation: 'sandbox' | 'none') => {
    const sandbox = await workshop.sandbox({ isolation })
    const { stdout } = await runIn(sandbox, probe.argv(target))
    return stdout.includes('ESCAPED')
  }

  describe.each(PROBES)('$attempt', probe => {
    // A probe that cannot succeed proves nothing when it fails.
    test.skipIf((probe.root && !isRoot) || probe.possible?.() === false)('works without a sandbox', async () => {
      expect(await escapes(probe, 'none')).toBe(true)
    })
    test('is blocked in one', async () => {
      expect(await escapes(probe, 'sandbox')).toBe(false)
      rows.push(`| ${probe.attempt} | works${probe.root ? ' (as root)' : ''} | blocked | ${probe.wall} |`)
    })
  })

  test('the table in docs/security.md is what was just seen', async () => {
    const page = await readFile(PAGE, 'utf8')
    const [before = '', , after = ''] = page.split(/(?<=<!-- probes -->\n)|(?=<!-- end of probes -->)/)
    const table = ['| attempt | without a sandbox | in a sandbox | stopped by |', '|---|---|---|---|', ...rows, ''].join('\n')
    const fresh = before + table + after
    if (process.env.UPDATE) await writeFile(PAGE, fresh)
    else expect(page, 'stale: run this test with UPDATE=1').toBe(fresh)
  })
})

function listen(where: { host: string; port: number } | { path: string }): Promise<Server> {
  const server = createServer(socket => socket.end())
  return new Promise(resolve => server.listen(where, () => resolve(server)))
}
