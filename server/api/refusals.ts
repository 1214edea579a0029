import type { Clock } from '#server/lib/clock.ts'
import type { Log } from '#server/telemetry/index.ts'
import type { ErrorCode } from '#shared/contract/index.ts'

const MINUTE_MS = 60_000
/** Lines a minute: who means no good must not fill the log, nor hide in it. */
const MOST_A_MINUTE = 60
const MOST_CHARS = 300

/** A request of another node that was refused. */
export interface Refusal {
  readonly remote: string | undefined
  readonly method: string
  readonly path: string
  readonly code: ErrorCode
  readonly detail: string
}

/** Refusals that say something of a node or of who pretends to be one; the others belong to every day's work. */
const TELLING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unauthorized',
  'forbidden',
  'pairing_refused',
  'malformed_body',
  'invalid_request',
  'body_too_large',
  'too_many_requests',
])

/** Logs refused requests between nodes: the same of the same address once a minute, and not more than so many in all. */
export function createRefusals({ clock, log }: { clock: Pick<Clock, 'monotonic'>; log: Log }): (refusal: Refusal) => void {
  let since = clock.monotonic()
  let untold = 0
  const told = new Set<string>()

  function turn(): void {
    const now = clock.monotonic()
    if (now - since < MINUTE_MS) return
    if (untold > 0) log.warn({ count: untold }, 'more requests of other nodes were refused')
    since = now
    untold = 0
    told.clear()
  }

  return ({ remote, method, path, code, detail }) => {
    if (!TELLING.has(code)) return
    turn()
    const what = `${remote} ${code} ${detail}`
    if (told.has(what) || told.size >= MOST_A_MINUTE) {
      untold += 1
      return
    }
    told.add(what)
    const short = (text: string) => text.slice(0, MOST_CHARS)
    log.warn({ remote, method, path: short(path), code, detail: short(detail) }, 'a request of another node was refused')
  }
}
