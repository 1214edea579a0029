import type { Announcement } from '#shared/model/index.ts'

/**
 * Which side answers the model calls of a job on a node that is not its home; null when neither can.
 * @param isAtWorker whether that node has the model
 */
export function modelSide({ policy, atHome }: Announcement['models'], isAtWorker: boolean): 'worker' | 'home' | null {
  const worker = isAtWorker ? 'worker' : null
  const home = atHome ? 'home' : null
  switch (policy) {
    case 'worker-only':
      return worker
    case 'home-only':
      return home
    case 'prefer-worker':
      return worker ?? home
    case 'prefer-home':
      return home ?? worker
  }
}
