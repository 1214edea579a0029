import { ZodError } from 'zod'
import { ConfigError } from '#server/config.ts'
import { messageOf } from '#server/lib/message-of.ts'
import { ApiError } from '#shared/contract/index.ts'
import { sanitizeLine, sanitizeTerminal } from '#shared/model/index.ts'
import { CliError, EXIT, type ExitCode } from './exit-codes.ts'
import type { World } from './world.ts'

/** Tells what went wrong and what to do, on stderr. @returns the exit code for it. */
export async function reportFailure({ err, env }: Pick<World, 'err' | 'env'>, error: unknown): Promise<ExitCode> {
  const [message, remedy, code] = explain(error)
  if (code === EXIT.pipeClosed) return code
  await err.line(`${err.paint('red', 'skein:')} ${message}`)
  // Some errors say it in their message already.
  if (remedy && !message.includes(remedy)) await err.line(`  ${sanitizeLine(remedy)}`)
  if (env.SKEIN_DEBUG) await err.line(sanitizeTerminal(error instanceof Error ? (error.stack ?? '') : ''))
  return code
}

function explain(error: unknown): [message: string, remedy: string | undefined, code: ExitCode] {
  if (error instanceof CliError) return [sanitizeTerminal(error.message), error.remedy, error.exitCode]
  if (error instanceof ConfigError)
    return [error.message, '`skein doctor` shows every setting and where it comes from.', EXIT.config]
  if (error instanceof ApiError) {
    const issues = (error.extras.issues ?? []).map(({ path, message }) => `\n  ${path || '/'}: ${message}`).join('')
    return [
      sanitizeTerminal(error.message + issues),
      error.extras.remedy,
      error.code === 'unauthorized' ? EXIT.denied : EXIT.failed,
    ]
  }
  if (error instanceof Error && error.name === 'WorkspaceError') {
    const { code, remedy } = error as Error & { code?: string; remedy?: string }
    return [sanitizeTerminal(error.message), remedy, code === 'conflict' ? EXIT.conflict : EXIT.failed]
  }
  // Everything else that is parsed here is parsed with a message of its own.
  if (error instanceof ZodError)
    return [
      'The server answered in a form that this version of skein does not know.',
      'Is the address that of a Skein server, and of the same version? See `skein --version` there and here.',
      EXIT.unavailable,
    ]
  return [sanitizeTerminal(messageOf(error)), 'Set SKEIN_DEBUG=1 to see where this comes from.', EXIT.internal]
}
