import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { homedir, networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { ENGINE } from '../contract/executor-workshop.ts'
import { type Probe, TARGET_SECRET, type Target } from './probes.ts'

/** What probes reach for, for as long as it is needed. */
export async function openTarget(): Promise<{ target: Omit<Target, 'node'>; close(): Promise<void> }> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'skein-target-')))
  await mkdir(join(directory, 'other-job'))
  await writeFile(join(directory, 'secret'), TARGET_SECRET)
  await writeFile(join(directory, 'precious'), '')
  const victim: ChildProcess = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', TARGET_SECRET], { stdio: 'ignore' })
  const abstractSocket = `skein-probe-${process.pid}`
  const socket = join(directory, 'socket')
  const tcp = await listen({ host: '0.0.0.0', port: 0 })
  const servers = [tcp, await listen({ path: `\0${abstractSocket}` }), await listen({ path: socket })]
  const { port } = tcp.address() as AddressInfo
  const outside = Object.values(networkInterfaces()).flatMap(found => found ?? [])
  const address = outside.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? null
  return {
    target: {
      ...{ directory, home: homedir(), pid: victim.pid ?? 0, port, abstractSocket, socket, address, engineSocket: ENGINE },
    },
    async close() {
      victim.kill('SIGKILL')
      for (const server of servers) server.close()
      await rm(directory, { recursive: true })
    },
  }
}

function listen(where: { host: string; port: number } | { path: string }): Promise<Server> {
  const server = createServer(socket => socket.end())
  return new Promise(resolve => server.listen(where, () => resolve(server)))
}

/** What a repository may bring along to be run. */
export async function furnish(workTree: string): Promise<void> {
  const program = join(workTree, 'root-program')
  await copyFile('/usr/bin/id', program)
  await chmod(program, 0o4755)
}

export const hasEscaped = (output: string): boolean => output.includes('ESCAPED')

/** Whether a probe gets what it wants as any program of this machine would. */
export async function escapesOutside(probe: Probe, target: Omit<Target, 'node'>): Promise<boolean> {
  const cwd = await mkdtemp(join(tmpdir(), 'skein-probe-'))
  // Where other users get in too, as programs of other users could be.
  await chmod(cwd, 0o755)
  await furnish(cwd)
  try {
    const [program = '', ...args] = probe.argv({ ...target, node: process.execPath })
    // What it says counts, however it ends.
    const said = await new Promise<string>(resolve => {
      execFile(program, args, { cwd, timeout: 60_000 }, (_, stdout) => resolve(stdout))
    })
    return hasEscaped(said)
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
}
