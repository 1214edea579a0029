/** Why an attempt was told to end before it was through. The reason of its AbortSignal. */
export type StopKind = 'evict' | 'cancel' | 'shutdown' | 'lease' | 'run_timeout' | 'silence_timeout' | 'check_timeout'

export class Stop extends Error {
  readonly kind: StopKind

  constructor(kind: StopKind) {
    super(`The attempt was stopped: ${kind}`)
    this.name = 'Stop'
    this.kind = kind
  }
}

/** The kind of stop that aborted a signal, or null when it is not aborted. */
export function stopKind(signal: AbortSignal): StopKind | null {
  if (!signal.aborted) return null
  return signal.reason instanceof Stop ? signal.reason.kind : 'cancel'
}
