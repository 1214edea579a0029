import type { DiffStat, JobId, RepositoryRef, Snapshot } from '#shared/model/index.ts'

export interface ResultCommit {
  /** null when nothing was changed. */
  readonly commit: string | null
  readonly diffStat: DiffStat
  readonly warnings: readonly { code: string; detail: string }[]
}

/** What this folder needs of a log; the server's fits. */
export interface WorkspaceLog {
  warn(fields: object, message: string): void
}

/** Thrown for what a caller can do something about. */
export class WorkspaceError extends Error {
  readonly code:
    | 'not_a_repository'
    | 'unsafe_path'
    | 'too_large'
    | 'snapshot_missing'
    | 'git_failed'
    | 'repository_gone'
    | 'conflict'
  readonly remedy: string | undefined
  /** Paths concerned, at most 100. */
  readonly paths: readonly string[]

  constructor(
    code: WorkspaceError['code'],
    detail: string,
    options: { cause?: unknown; remedy?: string; paths?: readonly string[] } = {},
  ) {
    super(detail, { cause: options.cause })
    this.name = 'WorkspaceError'
    this.code = code
    this.remedy = options.remedy
    this.paths = options.paths ?? []
  }
}

/** Everything that is git. Holds one bare cache a repository; the user's index, stash and work tree are never written. */
export interface Workspace {
  /** Captures the repository as a commit in the node's cache, kept under the job's id until `release`. @throws {WorkspaceError} */
  snapshot(repository: RepositoryRef, jobId: JobId): Promise<Snapshot>
  /** Keeps the snapshot of one job for another (retry). */
  share(snapshot: Snapshot, jobId: JobId): Promise<void>
  /**
   * Makes `dir` a work tree of that commit with a git repository of its own inside, which shares objects with the cache
   * (`mounts`: host directories a sandbox must see read-only at the same path for that to work).
   */
  checkout(snapshot: Snapshot, commit: string, dir: string): Promise<{ mounts: readonly string[] }>
  /**
   * Commits what is in `dir` now on top of the snapshot, trusting nothing in `dir` (its .git least of all). Kept under job and epoch.
   * @throws {WorkspaceError} `unsafe_path` when a symlink or path leaves the tree, `too_large` past `maxBytes` of new content.
   */
  commitResult(input: {
    snapshot: Snapshot
    dir: string
    jobId: JobId
    epoch: number
    message: string
    trailers: Readonly<Record<string, string>>
    maxBytes: number
  }): Promise<ResultCommit>
  /** Whether any blob the result adds contains one of these byte strings; says in which files. */
  findInResult(snapshot: Snapshot, commit: string, needles: readonly string[]): Promise<readonly string[]>
  /** The patch from snapshot to commit, binary files included. */
  diff(snapshot: Snapshot, commit: string, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** A bundle with the commit on top of what a repository that has `snapshot.base` needs. @returns the path of a temporary file the caller removes. */
  bundle(snapshot: Snapshot, commit: string, ref: string, file: string): Promise<void>
  /** Brings the commit into the repository as `refs/skein/jobs/<id>`. @returns the ref */
  deliver(snapshot: Snapshot, commit: string, jobId: JobId, repositoryPath: string): Promise<string>
  /** Names of the repository caches. */
  cached(): Promise<readonly string[]>
  /** Commits of a repository that another node may leave out of what it sends; none where there is no cache of it. */
  haves(repositoryId: string): Promise<readonly string[]>
  /** A bundle of a snapshot for another node, without what is reachable from commits it has. */
  pack(snapshot: Snapshot, haves: readonly string[], file: string): Promise<{ bytes: number; sha256: string }>
  /** Takes a snapshot of another node's repository, under the name the snapshot gives it, and keeps it for a job. @throws {WorkspaceError} */
  receive(file: string, snapshot: Snapshot, jobId: JobId, limits: { maxBytes: number }): Promise<void>
  /** Takes the result of an attempt on another node: exactly one commit, on top of the snapshot. @throws {WorkspaceError} */
  receiveResult(
    file: string,
    snapshot: Snapshot,
    jobId: JobId,
    epoch: number,
    limits: { maxBytes: number },
  ): Promise<{ commit: string }>
  /** Drops what is kept for a job. */
  release(jobIds: readonly JobId[]): Promise<void>
  /** Ids of jobs that something is kept for, to find leftovers after a crash. */
  kept(): Promise<readonly JobId[]>
  /** Removes objects nobody keeps. */
  collect(): Promise<void>
  totalBytes(): Promise<number>
}
