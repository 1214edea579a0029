import type { Host } from './host.ts'

/** Number of the event that made the newest job; 0 without jobs. What happens from now on comes after it. @throws {CallError} */
export async function newestEvent(host: Host, signal: AbortSignal): Promise<number> {
  const newest = (await host.call('listJobs', { query: { limit: 1 } }, signal)).items[0]
  if (!newest) return 0
  const events = await host.call('listEvents', { params: { id: newest.id }, query: { limit: 1 } }, signal)
  return events.items[0]?.seq ?? 0
}
