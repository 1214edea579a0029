import { JOB_TABS, type Route } from '#shared/webview/index.ts'

/** The fragment of an address that shows a route. */
export function toHash(route: Route): string {
  switch (route.page) {
    case 'jobs':
      return '#/jobs'
    case 'job':
      return `#/jobs/${route.jobId}${route.tab && route.tab !== 'log' ? `/${route.tab}` : ''}`
    case 'fleet':
      return '#/fleet'
    case 'run':
      return `#/run/${encodeURIComponent(route.repository)}/${encodeURIComponent(route.feature)}`
  }
}

/** @returns null for a fragment that shows nothing. */
export function fromHash(hash: string): Route | null {
  const [page, first, second] = hash.replace(/^#\/?/, '').split('/').map(decoded)
  if (page === '') return { page: 'jobs' }
  if (page === 'fleet') return { page: 'fleet' }
  if (page === 'run' && first && second) return { page: 'run', repository: first, feature: second }
  if (page !== 'jobs') return null
  if (!first) return { page: 'jobs' }
  if (!/^[0-9a-z]{14}$/.test(first)) return null
  const tab = JOB_TABS.find(one => one === second)
  return { page: 'job', jobId: first, ...(tab ? { tab } : {}) }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return ''
  }
}
