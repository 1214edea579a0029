import { ApiError, type Client } from '#shared/contract/index.ts'
import type { JobId } from '#shared/model/index.ts'
import { CliError, EXIT } from './exit-codes.ts'
import { pagesOf } from './pages.ts'

const WHOLE_ID = /^[0-9a-z]{14}$/
const PART_OF_ID = /^[0-9a-z]{3,13}$/
/** Older jobs must be named in full, so that a typing error does not read the whole history. */
const JOBS_SEARCHED = 2000

/**
 * The job a person means: a whole id, or the beginning or the end of one, at least three characters. The end is the handy one,
 * because ids that were made at the same time begin alike.
 * @throws {CliError} when there is none, or more than one.
 */
export async function resolveJobId(client: Pick<Client, 'listJobs' | 'getJob'>, given: string): Promise<JobId> {
  const wanted = given.toLowerCase()
  if (WHOLE_ID.test(wanted)) return wanted
  if (!PART_OF_ID.test(wanted)) {
    throw new CliError(
      EXIT.usage,
      `"${given}" is not a job id: those have 14 letters and digits, and three from either end will do.`,
    )
  }
  const matches = await recentIds(client, id => id.startsWith(wanted) || id.endsWith(wanted))
  const [only, ...others] = matches
  if (only === undefined)
    throw new ApiError('not_found', `No job has an id that starts or ends with "${wanted}".`, { remedy: 'See `skein jobs`.' })
  if (others.length > 0)
    throw new CliError(
      EXIT.usage,
      `"${wanted}" fits ${matches.length} jobs: ${matches.slice(0, 5).join(', ')}${matches.length > 5 ? ', …' : ''}.`,
    )
  return only
}

async function recentIds(client: Pick<Client, 'listJobs'>, fits: (id: JobId) => boolean): Promise<JobId[]> {
  const matches: JobId[] = []
  let seen = 0
  for await (const { items } of pagesOf(from => client.listJobs({ query: { limit: 200, ...from } }))) {
    matches.push(...items.map(job => job.id).filter(fits))
    seen += items.length
    if (items.length === 0 || seen >= JOBS_SEARCHED) break
  }
  return matches
}
