/** What the exit codes of `skein` mean; those above 63 are the ones of sysexits.h and of shells. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  conflict: 3,
  unavailable: 69,
  internal: 70,
  held: 73,
  detached: 75,
  denied: 77,
  config: 78,
  cancelled: 130,
  pipeClosed: 141,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** For `--help`. */
export const EXIT_CODES_HELP = `Exit codes:
    0  it worked; for run: the job succeeded (with --detach: it was accepted)
    1  the job failed, or the server refused the request
    2  wrong usage
    3  the result does not apply cleanly; nothing was changed
   69  no server is running, or it cannot be reached
   70  a fault in skein itself
   73  for serve: another server has the data directory
   75  detached; the job goes on
   77  the token is not the server's
   78  a setting is wrong
  130  the job was cancelled
  141  the reader of the output went away`

/** A failure that is told to the person as it is, without a stack trace. */
export class CliError extends Error {
  readonly exitCode: ExitCode
  /** What to do about it. */
  readonly remedy: string | undefined

  constructor(exitCode: ExitCode, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'CliError'
    this.exitCode = exitCode
    this.remedy = options.remedy
  }
}
