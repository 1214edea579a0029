import type { ApiDeps } from './application.ts'
import { type Api, serve } from './server.ts'

/**
 * The REST API. The server listens as soon as it is asked to; what answers its requests (the routes with all their schemas, and the
 * Fetch API of Node.js) is loaded by `warm` or by the first request: it would be a fifth of a start.
 */
export function createApi(deps: ApiDeps): Api {
  const stopping = new AbortController()
  const load = async () => (await import('./application.ts')).createApplication(deps, stopping.signal)
  return serve({ load, stopping, config: deps.config, clock: deps.clock, log: deps.log })
}
