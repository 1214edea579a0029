// Whether the node in this container is ready, for HEALTHCHECK and `exec` probes: the image has no curl.
import { get } from 'node:http'

const TIMEOUT_MS = 4_000

const port = process.env.API_PORT || '8080'
const path = process.argv[2] ?? '/ready'

const end = reason => {
  if (reason) console.error(`http://127.0.0.1:${port}${path}: ${reason}`)
  process.exit(reason ? 1 : 0)
}
get({ host: '127.0.0.1', port, path, timeout: TIMEOUT_MS }, ({ statusCode }) =>
  end(statusCode === 200 ? null : `it answered ${statusCode}`),
)
  .on('timeout', () => end(`no answer in ${TIMEOUT_MS} ms`))
  .on('error', error => end(error.message))
