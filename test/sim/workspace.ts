import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import type { Files } from '#server/lib/files.ts'
import { type Workspace, WorkspaceError } from '#server/workspace/index.ts'
import type { JobId, Snapshot } from '#shared/model/index.ts'
import { attemptName, type Ledger } from './ledger.ts'

/** What git holds on one machine; git syncs what it writes. */
export interface Repositories {
  /** Commits there are, by repository. */
  readonly commits: Map<string, Set<string>>
  /** What is kept for jobs. */
  readonly kept: Map<JobId, Set<string>>
  /** Results in the repository of the person who asked. */
  readonly delivered: Map<JobId, string>
}

export const emptyRepositories = (): Repositories => ({ commits: new Map(), kept: new Map(), delivered: new Map() })

interface Bundle {
  readonly commit: string
  readonly parent: string | null
}

const hashOf = (text: string): string => createHash('sha1').update(text).digest('hex')

/** Bundles are this long, so that a transfer takes more than one write. */
const PADDING = 'x'.repeat(3_000)

/** Git, as far as the life of a job can tell: commits that are there or not, and bundles that carry them. */
export function simulatedWorkspace(deps: { repositories: Repositories; files: Files; ledger: Ledger }): Workspace {
  const { repositories, files, ledger } = deps
  const { commits, kept, delivered } = repositories

  function add(repositoryId: string, commit: string, jobId: JobId): void {
    commits.set(repositoryId, (commits.get(repositoryId) ?? new Set()).add(commit))
    kept.set(jobId, (kept.get(jobId) ?? new Set()).add(commit))
  }
  function requireCommit({ repositoryId }: Snapshot, commit: string): void {
    if (!commits.get(repositoryId)?.has(commit)) throw new WorkspaceError('snapshot_missing', `There is no commit ${commit}.`)
  }
  async function writeBundle(path: string, bundle: Bundle): Promise<Uint8Array> {
    const bytes = new TextEncoder().encode(JSON.stringify({ ...bundle, padding: PADDING }))
    await files.makeDirectory(dirname(path))
    await files.remove(path)
    const file = await files.open(path, 'append')
    await file.write(bytes, 0)
    await file.sync()
    await file.close()
    return bytes
  }
  async function readBundle(path: string): Promise<Bundle> {
    const file = await files.open(path, 'read')
    const bytes = new Uint8Array(await file.size())
    await file.read(bytes, 0)
    await file.close()
    try {
      return JSON.parse(new TextDecoder().decode(bytes)) as Bundle
    } catch (cause) {
      throw new WorkspaceError('git_failed', 'The bundle is damaged.', { cause })
    }
  }
  const noChange = { files: 0, insertions: 0, deletions: 0, changes: [] }

  return {
    async snapshot({ path }, jobId) {
      const commit = hashOf(path)
      add('repo', commit, jobId)
      return { commit, base: null, dirty: false, repositoryId: 'repo', branch: 'main' }
    },
    async share({ repositoryId, commit }, jobId) {
      add(repositoryId, commit, jobId)
    },
    async checkout(snapshot, commit) {
      requireCommit(snapshot, commit)
      return { mounts: [] }
    },
    async commitResult({ snapshot, jobId, epoch }) {
      requireCommit(snapshot, snapshot.commit)
      const commit = hashOf(`result ${jobId} ${epoch}`)
      add(snapshot.repositoryId, commit, jobId)
      ledger.commits.set(attemptName(jobId, epoch), commit)
      return { commit, diffStat: noChange, warnings: [] }
    },
    findInResult: async () => [],
    async *diff() {
      yield new Uint8Array()
    },
    async bundle(snapshot, commit, _ref, file) {
      requireCommit(snapshot, commit)
      await writeBundle(file, { commit, parent: snapshot.commit })
    },
    async deliver(snapshot, commit, jobId) {
      requireCommit(snapshot, commit)
      delivered.set(jobId, commit)
      return `refs/skein/jobs/${jobId}`
    },
    cached: async () => [...commits.keys()],
    haves: async repositoryId => [...(commits.get(repositoryId) ?? [])].slice(0, 16),
    async pack(snapshot, _haves, file) {
      requireCommit(snapshot, snapshot.commit)
      const bytes = await writeBundle(file, { commit: snapshot.commit, parent: null })
      return { bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') }
    },
    async receive(file, { repositoryId, commit }, jobId) {
      const bundle = await readBundle(file)
      if (bundle.commit !== commit) throw new WorkspaceError('snapshot_missing', `The bundle has ${bundle.commit}.`)
      add(repositoryId, commit, jobId)
    },
    async receiveResult(file, snapshot, jobId) {
      const bundle = await readBundle(file)
      if (bundle.parent !== snapshot.commit) throw new WorkspaceError('git_failed', 'It is not on the snapshot.')
      add(snapshot.repositoryId, bundle.commit, jobId)
      return { commit: bundle.commit }
    },
    async release(jobIds) {
      for (const id of jobIds) {
        kept.delete(id)
        for (const [repositoryId, all] of commits) {
          const needed = new Set([...kept.values()].flatMap(each => [...each]))
          commits.set(repositoryId, new Set([...all].filter(commit => needed.has(commit))))
        }
      }
    },
    kept: async () => [...kept.keys()],
    async collect() {},
    totalBytes: async () => 0,
  }
}
