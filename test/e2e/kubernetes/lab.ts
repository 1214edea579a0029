import { type ChildProcess, execFile, execFileSync, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type ClusterApi, createClusterApi, type Method } from '#server/executors/kubernetes/cluster-api.ts'
import { openConnection } from '#server/executors/kubernetes/connection.ts'
import { systemClock } from '#server/lib/clock.ts'

const script = fileURLToPath(new URL('../../lab/kube/kube', import.meta.url))
const state = process.env.LAB_KUBE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'skein', 'lab-kube')
const namespace = process.env.LAB_KUBE_NAMESPACE ?? 'skeinkube'
const API = ['10.123.0.1', '6443'] as const
const execute = promisify(execFile)

/** @returns why there is no cluster to test with; printed, so that nothing is skipped in silence. */
export function whyNoCluster(): string | null {
  const { status, stdout } = spawnSync(script, ['why'], { encoding: 'utf8' })
  if (status === 0) return null
  console.warn(`Skipped: ${stdout.trim()}`)
  return stdout.trim()
}

/** A real cluster of one node, for the tests of one file. */
export interface Lab extends AsyncDisposable {
  /** Of the cluster's administrator. */
  kubectl(...argv: string[]): Promise<string>
  /** The same with an object on standard input. */
  apply(object: object): void
  /** Kills a program of the cluster and keeps it away, or lets it come back. */
  stop(program: string): void
  start(program: string): void
  /** Speaks with the API server as the administrator, or as a service account `namespace:name`. */
  api(account?: string, counted?: (method: Method, path: string) => void): Promise<ClusterApi>
}

export async function openLab(): Promise<Lab> {
  execFileSync(script, ['up'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const directory = await mkdtemp(join(tmpdir(), 'skein-kube-'))
  const { port, forwarder } = await openWay()
  const closers: (() => void)[] = []
  const kubectl = async (...argv: string[]) => (await execute(script, ['exec', 'kubectl', ...argv])).stdout
  return {
    kubectl,
    apply(object) {
      execFileSync(script, ['exec', 'kubectl', 'apply', '-f', '-'], {
        input: JSON.stringify(object),
        stdio: ['pipe', 'ignore', 'inherit'],
      })
    },
    stop: program => void execFileSync(script, ['stop', program]),
    start: program => void execFileSync(script, ['start', program]),
    async api(account, counted) {
      const pki = join(state, 'pki')
      const [space = '', name = ''] = account?.split(':') ?? []
      const user = account
        ? { token: (await kubectl('create', 'token', name, '-n', space)).trim() }
        : { 'client-certificate': join(pki, 'admin.crt'), 'client-key': join(pki, 'admin.key') }
      const certificate = (await readFile(join(pki, 'ca.crt'))).toString('base64')
      const file = join(directory, `${account ?? 'admin'}.kubeconfig`)
      await writeFile(
        file,
        JSON.stringify({
          clusters: [
            { name: 'lab', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': certificate } },
          ],
          users: [{ name: 'u', user }],
          contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'u' } }],
          'current-context': 'lab',
        }),
      )
      const connection = await openConnection(
        { kind: 'files', files: [file], said: file },
        { context: undefined, clock: systemClock },
      )
      closers.push(connection.close)
      return createClusterApi(connection, counted)
    },
    async [Symbol.asyncDispose]() {
      for (const close of closers) close()
      forwarder.kill()
      execFileSync(script, ['down'])
      await rm(directory, { recursive: true })
    },
  }
}

/** A port of this machine that leads to the API server, which lives in a network namespace. */
async function openWay(): Promise<{ port: number; forwarder: ChildProcess }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const file = fileURLToPath(new URL('./forward.ts', import.meta.url))
  const forwarder = fork(file, [...API], { execPath: 'nsenter', execArgv: [`--net=/run/netns/${namespace}`, process.execPath] })
  forwarder.send('serve', server)
  await once(forwarder, 'message')
  server.close()
  return { port, forwarder }
}
