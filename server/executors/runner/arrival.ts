import type { Clock } from '#server/lib/clock.ts'
import type { SandboxError } from '../index.ts'
import type { Visitor } from './door.ts'

/** Waits for a runner whose place runs. @throws {SandboxError} when it does not come in time, or its place is lost before */
export async function arrival(
  visitor: Visitor,
  {
    withinMs,
    late,
    clock,
    signal,
  }: { withinMs: number; late: () => SandboxError; clock: Clock; signal: AbortSignal | undefined },
): Promise<void> {
  const { promise: given, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal?.reason)
  const cancel = clock.after(withinMs, () => reject(late()))
  signal?.addEventListener('abort', abort)
  if (signal?.aborted) abort()
  try {
    await Promise.race([visitor.arrived(), given])
  } finally {
    cancel()
    signal?.removeEventListener('abort', abort)
  }
}
