import { type ChildProcess, spawn } from 'node:child_process'
import * as z from 'zod'
import { send } from '#server/lib/process-identity.ts'
import { parseJson } from './objects.ts'

/** What a user of a kubeconfig has instead of credentials: a program that prints some. */
export const ExecPlugin = z.object({
  apiVersion: z.string().default('client.authentication.k8s.io/v1'),
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
})
export type ExecPlugin = z.infer<typeof ExecPlugin>

const Credential = z.object({
  kind: z.literal('ExecCredential'),
  status: z.object({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
    expirationTimestamp: z.string().optional(),
  }),
})
export type ExecCredential = z.infer<typeof Credential>['status']

/** Longer answers are no credential. */
const MOST_BYTES = 1024 * 1024
/** How much of what a plug-in complains is told on. */
const MOST_WORDS = 400

/**
 * Runs the plug-in and reads what it prints. One that hangs, perhaps because it would like to ask a person, is killed with all that it
 * started: the library's own way waits for it for ever.
 * @throws {Error} in words for people
 */
export async function runPlugin(plugin: ExecPlugin, timeoutMs: number): Promise<ExecCredential> {
  const { command, args, env } = plugin
  const info = { apiVersion: plugin.apiVersion, kind: 'ExecCredential', spec: { interactive: false } }
  const child = spawn(command, args ?? [], {
    env: {
      ...process.env,
      ...Object.fromEntries((env ?? []).map(({ name, value }) => [name, value])),
      KUBERNETES_EXEC_INFO: JSON.stringify(info),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that what it started can be ended with it.
    detached: true,
  })
  const { stdout, stderr, code } = await outcome(child, command, timeoutMs)
  if (code !== 0) throw new Error(`The credential plug-in ${command} failed (${code}): ${stderr.trim().slice(0, MOST_WORDS)}`)
  const answer = Credential.safeParse(parseJson(stdout))
  if (!answer.success) throw new Error(`The credential plug-in ${command} printed no ExecCredential`)
  return answer.data.status
}

interface Outcome {
  readonly stdout: string
  readonly stderr: string
  readonly code: number | NodeJS.Signals
}

function outcome(child: ChildProcess, command: string, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const said = { stdout: '', stderr: '' }
    const end = (why: string) => {
      killGroup(child)
      reject(new Error(`The credential plug-in ${command} ${why}`))
    }
    const timer = setTimeout(end, timeoutMs, `did not answer in ${timeoutMs} ms, and was killed`)
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (data: string) => {
        said[name] += data
        if (said[name].length > MOST_BYTES) end('prints without end, and was killed')
      })
    }
    child.on('error', error => reject(new Error(`The credential plug-in ${command} cannot be started: ${error.message}`)))
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ ...said, code: code ?? signal ?? 'SIGKILL' })
    })
    child.once('error', () => clearTimeout(timer))
  })
}

function killGroup({ pid }: ChildProcess): void {
  if (pid !== undefined) send(-pid, 'SIGKILL')
}
