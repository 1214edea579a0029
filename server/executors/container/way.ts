import type { HomeAddress, RemoteSandbox, RemoteSandboxOptions } from '../runner/index.ts'
import type { Opening, User } from './place.ts'

/** How a sandbox comes into its container and out again, and how the runner in it finds this node. */
export interface Way {
  readonly user: User
  readonly opening: Opening
  /** For the runner's token. */
  readonly homes: readonly HomeAddress[]
  /** Directories inside whose files the runner counts; none where they are counted from outside. */
  readonly disk: readonly string[]
  readonly identify?: RemoteSandboxOptions['identify']
  /** Puts in what must be there before the container starts. @throws {Error} */
  fill(container: string, token: string): Promise<void>
  /** Puts in the rest, once the runner has come, and has the disk watched from then on. @throws {SandboxError} */
  settle(sandbox: RemoteSandbox): Promise<void>
  /** Bytes of its files, where that is known without asking the runner. */
  readonly countDisk?: () => Promise<number>
  /** Brings the work tree out while the runner still answers, where it has to be brought. */
  readonly collect?: (sandbox: RemoteSandbox) => Promise<void>
  /** Nobody is to listen or watch any more. */
  stop(): void
  /** The container is gone: the work tree is the server's alone again. */
  takeBack(): Promise<void>
  /** Removes what was made on this machine. */
  remove(): Promise<void>
}
