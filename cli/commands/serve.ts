import { resolveConfig } from '#server/config.ts'
import { serve as startServer } from '#server/main.ts'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import type { World } from '../world.ts'

/** How long a connection to a proxy may keep a stopped server alive, ms: Node.js (NODE_USE_ENV_PROXY) would for minutes. */
const LINGER_MS = 1_000

export interface ServeOptions {
  readonly config?: string
  readonly dataDir?: string
  readonly host?: string
  readonly port?: string
  readonly name?: string
  readonly concurrency?: string
  readonly logLevel?: string
  readonly json?: boolean
}

/**
 * Runs the orchestrator until a signal; then it stops in bounded time. A second signal ends the process at once: the next start
 * recovers what was going on, as after a crash.
 */
export async function serve(world: World, options: ServeOptions): Promise<ExitCode> {
  const { config } = await resolveConfig({
    flags: {
      config: options.config,
      dataDir: options.dataDir,
      'api.host': options.host,
      'api.port': options.port,
      'node.name': options.name,
      'node.concurrency': options.concurrency,
      'log.level': options.logLevel,
    },
    env: world.env,
    cwd: world.cwd,
  })
  const asked = Promise.withResolvers<void>()
  let signals = 0
  const off = world.onSignal(signal => {
    signals++
    if (signals > 1) process.exit(signal === 'SIGINT' ? 130 : 143)
    asked.resolve()
  })
  try {
    const server = await startServer({ config, env: world.env }).catch((cause: unknown) => {
      const remedy =
        cause instanceof Error && 'remedy' in cause && typeof cause.remedy === 'string' ? { remedy: cause.remedy } : {}
      const isHeld = cause instanceof Error && 'code' in cause && cause.code === 'locked'
      throw new CliError(isHeld ? EXIT.held : EXIT.failed, cause instanceof Error ? cause.message : String(cause), {
        cause,
        ...remedy,
      })
    })
    const { url, webUrl } = server
    const pages = webUrl === null ? '' : `, and at ${webUrl}`
    await world.out.line(
      options.json
        ? JSON.stringify({ url, pid: process.pid, ...(webUrl === null ? {} : { webUrl }) })
        : `Skein is ready at ${url}${pages}`,
    )
    await asked.promise
    await server.close()
    setTimeout(() => process.exit(), LINGER_MS).unref()
    return EXIT.ok
  } finally {
    off()
  }
}
