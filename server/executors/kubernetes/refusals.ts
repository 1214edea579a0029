import { SandboxError } from '../index.ts'
import { ClusterError } from './cluster-api.ts'
import { quotaCode, quotaWords } from './status.ts'

/** What to do when something is missing in the cluster. */
export const SETUP = '`skein executors setup kubernetes` prints what the cluster needs, and applies it with `--apply`.'
/** What an admission webhook or the API server names when a field of ours is not to its liking. */
const LONGEST = 500

/** What a refusal of the API server means for somebody who wants a sandbox. */
export function explain(error: unknown, doing: string): SandboxError {
  if (error instanceof SandboxError) return error
  if (!(error instanceof ClusterError))
    return new SandboxError('failed', `Failed to ${doing}: ${(error as Error).message}`, { cause: error })
  const { status, message } = error
  const fail = (code: SandboxError['code'], why: string, remedy?: string) =>
    new SandboxError(code, `Failed to ${doing}: ${why.slice(0, LONGEST)}`, {
      cause: error,
      ...(remedy === undefined ? {} : { remedy }),
    })
  if (status === 0) return fail('unavailable', message, 'Start the cluster, or correct the address in the kubeconfig.')
  if (status === 401) return fail('unavailable', message, 'Log in anew, or get a new kubeconfig.')
  if (status === 403 && /exceeded quota/i.test(message)) return fail(quotaCode(message), quotaWords(message))
  if (status === 403) return fail('unavailable', message, SETUP)
  if (status === 404 && /namespaces? .*not found/i.test(message)) return fail('unavailable', message, SETUP)
  return fail('failed', message)
}
