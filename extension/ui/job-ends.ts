import type { Jobs } from '../state/jobs.ts'
import type { Started } from '../state/started.ts'
import { inform } from './notice.ts'
import { setting } from './settings.ts'
import { t } from './texts.ts'

/** Tells of the end of jobs that were started in this workspace. */
export function tellOfEnds(jobs: Jobs, started: Started): { dispose(): void } {
  return jobs.onEnded(({ summary, hasChanges }) => {
    const { id, state, title, failure } = summary
    if (!started.has(id) || setting('skein.notifications') !== 'all') return
    const open = { title: t('Open Job'), command: 'skein.jobs.open', argument: { jobId: id } } as const
    const review = { title: t('Review Changes'), command: 'skein.jobs.review', argument: { jobId: id } } as const
    if (state === 'failed')
      inform(t('“{0}” failed: {1}', title, failure?.detail ?? t('no reason was given')), {
        title: t('Retry Job'),
        command: 'skein.jobs.retry',
        argument: { jobId: id },
      })
    else if (state === 'succeeded' && hasChanges === false) inform(t('“{0}” is done, and changed nothing.', title), open)
    else if (state === 'succeeded') inform(t('“{0}” is done.', title), review, open)
  })
}
