import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { type Client, createClient } from '#shared/contract/index.ts'

const bin = fileURLToPath(new URL('../../bin/skein.js', import.meta.url))

/** A server of the shipped program, from its start to its end. */
export interface Life {
  readonly child: ChildProcess
  readonly url: string
  readonly token: string
  readonly client: Client
}

/** Starts the shipped program, as a user would. @param before what is put before the command line */
export async function launch(input: {
  dataDir: string
  before?: readonly string[]
  options: readonly string[]
}): Promise<Omit<Life, 'client'>> {
  const { dataDir, before = [], options } = input
  const flags = ['--json', '--port', '0', '--data-dir', dataDir, '--log-level', 'fatal', ...options]
  const [command = '', ...argv] = [...before, process.execPath, bin, 'serve', ...flags]
  const child = spawn(command, argv, {
    env: { PATH: process.env.PATH, HOME: dataDir, OLLAMA_HOST: 'http://127.0.0.1:9', SKEIN_TAILSCALE_SOCKET: 'off' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  // A test that fails half way must not leave a server behind.
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })
  const [line] = (await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => ['{}'])])) as [string]
  const { url } = JSON.parse(line) as { url?: string }
  if (!url) throw new Error('The server did not start')
  return { child, url, token: readFileSync(join(dataDir, 'token'), 'utf8').trim() }
}

/** The same, where its loopback is ours. */
export async function start(dataDir: string, ...options: string[]): Promise<Life> {
  const life = await launch({ dataDir, options })
  const client = createClient((path, init) => fetch(life.url + path, init as RequestInit), life.token)
  return { ...life, client }
}

export async function kill({ child }: Life): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** A linear congruential generator (Numerical Recipes), so that a seed gives the same kills again. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
