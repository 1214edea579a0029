import { mkdtempSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Lifetime } from '#server/lib/lifetime.ts'
import { type Client, createClient } from '#shared/contract/index.ts'

/** Where the orchestrator of an editor is to live, and what it is to know. */
export interface Place {
  readonly dataDir: string
  /** Settings of the extension that lead there. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Process id of the orchestrator that the editor started; null while there is none. */
  pid(): Promise<number | null>
  /** The API of the running one. */
  client(): Promise<Client>
}

/** @param modelUrl of a server with OpenAI's API, without `/v1`. @param more settings of the node. What the editor starts there ends with `life`. */
export async function makePlace(life: Lifetime, modelUrl: string, more: object = {}): Promise<Place> {
  const dataDir = mkdtempSync(join(tmpdir(), 'skein-place-'))
  life.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const config = join(dataDir, 'skein.yaml')
  const providers = [{ id: 'scripted', kind: 'openai-compatible', baseUrl: `${modelUrl}/v1` }]
  await writeFile(config, JSON.stringify({ models: { providers }, tailscale: { socket: 'off' }, api: { port: 0 }, ...more }))
  const pid = async () => Number(await readFile(join(dataDir, 'owner.pid'), 'utf8').catch(() => '')) || null
  life.defer(async () => {
    const running = await pid()
    if (running !== null) process.kill(running, 'SIGTERM')
  })
  return {
    dataDir,
    settings: { 'skein.server.dataDir': dataDir, 'skein.server.config': config },
    pid,
    async client() {
      const { url } = JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8')) as { url: string }
      const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
      return createClient((path, init) => fetch(url + path, init as RequestInit), token)
    },
  }
}
