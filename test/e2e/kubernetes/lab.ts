import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type ClusterApi, createClusterApi, type Method } from '#server/executors/kubernetes/cluster-api.ts'
import { openConnection } from '#server/executors/kubernetes/connection.ts'
import { systemClock } from '#server/lib/clock.ts'

const lab = (program: string) => fileURLToPath(new URL(`../../lab/kube/${program}`, import.meta.url))
const script = lab('kube')
const state = process.env.LAB_KUBE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'skein', 'lab-kube')
const API = 'https://10.123.0.1:6443'
const execute = promisify(execFile)

/**
 * For the hook that opens the lab. There is one cluster, so most of it is waiting until other files are done with it; and the first who
 * asks for an image makes it.
 */
export const TURN_MS = 45 * 60_000
/** How long a pod may take to start where the test is not about that: a machine that is busy is no failure. */
export const START_MS = 300_000
/** The same for what a test polls for. */
export const PATIENT = { timeout: START_MS, interval: 200 }

/** @returns why there is no cluster to test with; printed, so that nothing is skipped in silence. */
export function whyNoCluster(): string | null {
  const { status, stdout } = spawnSync(script, ['why'], { encoding: 'utf8' })
  if (status === 0) return null
  console.warn(`Skipped: ${stdout.trim()}`)
  return stdout.trim()
}

/** @returns why there is no image with Node.js to run sandboxes in. */
export function whyNoImage(): string | null {
  if (spawnSync('sh', ['-c', 'command -v debootstrap || test -f "$0"', join(state, 'node.tar')]).status === 0) return null
  console.warn('Skipped: debootstrap is not installed, which makes an image with Node.js')
  return 'no debootstrap'
}

const PROGRAMS = ['etcd', 'apiserver', 'kcm', 'sched', 'containerd', 'kubelet']

/** A real cluster of one node, for the tests of one file. */
export interface Lab extends AsyncDisposable {
  /** Of the cluster's administrator. */
  kubectl(...argv: string[]): Promise<string>
  /** The same with an object on standard input. */
  apply(object: object): void
  /** Kills a program of the cluster and keeps it away, or lets it come back. */
  stop(program: string): void
  start(program: string): void
  /** Undoes what a test that failed did to it, so that the next one does not fail for that. */
  mend(): Promise<void>
  /** Gives the cluster localhost/node:24, or localhost/agent:1, which has OpenCode too. */
  loadImage(which: 'node' | 'agent'): void
  loadArchive(file: string): void
  /** File of the administrator, of a service account `namespace:name`, or of whom a plug-in gives credentials for. */
  kubeconfig(account?: string | { readonly exec: string }): Promise<string>
  /** What its node runs in pods of a namespace, whatever the cluster knows of it. */
  containersOf(namespace: string): string
  /** Makes the node take its disk for full, however full it is, or no more. */
  squeezeDisk(isTight: boolean): void
  /** Speaks with the API server as the same. */
  api(account?: string, counted?: (method: Method, path: string) => void): Promise<ClusterApi>
}

/** @param policies whether pods are held to NetworkPolicies, as most clusters do */
export async function openLab({ policies = false } = {}): Promise<Lab> {
  const release = await takeTurn()
  try {
    execFileSync(script, ['up', ...(policies ? ['policies'] : [])], { stdio: ['ignore', 'ignore', 'inherit'] })
  } catch (error) {
    release()
    throw error
  }
  const directory = await mkdtemp(join(tmpdir(), 'skein-kube-'))
  const closers: (() => void)[] = []
  const kubectl = async (...argv: string[]) => (await execute(script, ['exec', 'kubectl', ...argv])).stdout
  const kubeconfig = async (who?: string | { readonly exec: string }) => {
    const pki = join(state, 'pki')
    const account = typeof who === 'string' ? who : null
    const [space = '', name = ''] = account?.split(':') ?? []
    const user =
      typeof who === 'object'
        ? { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: who.exec, interactiveMode: 'Never' } }
        : account
          ? { token: (await kubectl('create', 'token', name, '-n', space)).trim() }
          : { 'client-certificate': join(pki, 'admin.crt'), 'client-key': join(pki, 'admin.key') }
    const certificate = (await readFile(join(pki, 'ca.crt'))).toString('base64')
    const file = join(directory, `${account ?? (who ? 'plugin' : 'admin')}.kubeconfig`)
    const content = {
      clusters: [{ name: 'lab', cluster: { server: API, 'certificate-authority-data': certificate } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'u' } }],
      'current-context': 'lab',
    }
    await writeFile(file, JSON.stringify(content))
    return file
  }
  const loadArchive = (file: string) => void execFileSync(script, ['image', file], { stdio: ['ignore', 'ignore', 'inherit'] })
  return {
    kubectl,
    kubeconfig,
    apply(object) {
      execFileSync(script, ['exec', 'kubectl', 'apply', '-f', '-'], {
        input: JSON.stringify(object),
        stdio: ['pipe', 'ignore', 'inherit'],
      })
    },
    stop: program => void execFileSync(script, ['stop', program]),
    start: program => void execFileSync(script, ['start', program]),
    containersOf: namespace => execFileSync(script, ['containers', namespace], { encoding: 'utf8' }).trim(),
    squeezeDisk(isTight) {
      execFileSync(script, ['stop', 'kubelet'])
      const file = join(state, 'kubelet.yaml')
      const least = isTight ? '99%' : '1%'
      writeFileSync(file, readFileSync(file, 'utf8').replace(/nodefs.available: "\d+%"/, `nodefs.available: "${least}"`))
      execFileSync(script, ['start', 'kubelet'])
    },
    async mend() {
      for (const program of PROGRAMS) execFileSync(script, ['start', program])
      await kubectl('wait', '--for=condition=Ready', 'node/lab', '--timeout=120s')
      await kubectl('uncordon', 'lab')
      await kubectl('delete', 'quota', 'tight', '-n', 'skein', '--ignore-not-found')
    },
    loadImage(which) {
      loadArchive(execFileSync(lab(`${which}-image`), { encoding: 'utf8' }).trim())
    },
    loadArchive,
    async api(account, counted) {
      const file = await kubeconfig(account)
      const source = { kind: 'files', files: [file], said: file } as const
      const connection = await openConnection(source, { context: undefined, clock: systemClock })
      closers.push(connection.close)
      return createClusterApi(connection, counted)
    },
    async [Symbol.asyncDispose]() {
      for (const close of closers) close()
      execFileSync(script, ['down'])
      await rm(directory, { recursive: true })
      release()
    },
  }
}

/** There is one cluster, and test files run beside each other. @returns how to let the next one have it */
async function takeTurn(): Promise<() => void> {
  await mkdir(state, { recursive: true })
  // The lock ends with the program that holds it, and that with its standard input, so with this process at the latest.
  const holder = spawn('flock', [join(state, 'lock'), 'sh', '-c', 'echo mine; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  return () => holder.stdin.end()
}
