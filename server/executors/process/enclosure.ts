import type { IsolationLevel } from '#shared/model/index.ts'
import type { StartOptions } from '../index.ts'

/** How to start one program in an enclosure. */
export interface Command {
  readonly argv: readonly string[]
  /** What a shell does first, line by line, before it becomes the command. */
  readonly before: readonly string[]
  /** The whole environment of the process we start; what the program sees may differ. */
  readonly env: Readonly<Record<string, string>>
  /** What bubblewrap reads from file descriptor 3 besides its arguments; see `--args` in bwrap(1). Nobody sees them in a list of processes. */
  readonly options: readonly string[]
  /** File with a seccomp program, which bubblewrap reads from file descriptor 4. */
  readonly filter: string | null
}

/** What differs between the ways to shut a program in; see `sandbox.ts` for what does not. */
export interface Enclosure {
  readonly isolation: IsolationLevel
  readonly workDir: string
  readonly relayUrl: string | null
  /** @param mark value of PROCESS_MARK for everything this start brings about. @throws {SandboxError} */
  command(options: StartOptions, mark: string): Command
  /** The program itself, as the host numbers it; null while it is not there yet. */
  program(started: number): number | null
  /** Everything that runs for one start, programs only. */
  members(started: number, mark: string): number[]
  /** Ends everything of one start at once. */
  end(started: number, mark: string): void
  /** After a program is over: ends what it left behind. @param wasKilled whether a signal ended what was started. */
  sweep(started: number, mark: string, wasKilled: boolean): void
  close(): Promise<void>
}
