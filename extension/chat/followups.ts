import type { Translate } from '../rows/row.ts'

/** What an answer of the chat was about; kept with it, over reloads of the window. */
export type About =
  | { readonly about: 'job'; readonly outcome: 'succeeded' | 'failed' | 'cancelled' | null; readonly prompt: string }
  | { readonly about: 'jobs' }
  | { readonly about: 'features'; readonly features: readonly string[] }
  | { readonly about: 'feature'; readonly feature: string; readonly open: readonly string[] }
  | { readonly about: 'task'; readonly feature: string; readonly task: string; readonly isDone: boolean }
  | { readonly about: 'peers' }

/** A request that is offered after an answer. */
export interface Followup {
  readonly prompt: string
  readonly label: string
  readonly command?: 'status' | 'spec' | 'peers'
}

const MOST = 3

export function followupsOf(about: About | undefined, t: Translate): readonly Followup[] {
  const jobs: Followup = { prompt: '', label: t('How are my jobs?'), command: 'status' }
  switch (about?.about) {
    case 'job':
      return about.outcome === 'failed' || about.outcome === 'cancelled'
        ? [{ prompt: about.prompt, label: t('Try again') }, jobs]
        : [jobs]
    case 'jobs':
      return [{ prompt: '', label: t('Where do they run?'), command: 'peers' }]
    case 'features':
      return about.features.slice(0, MOST).map(feature => ({ prompt: feature, label: feature, command: 'spec' }))
    case 'feature':
      return about.open.slice(0, MOST).map(task => ({ prompt: `${about.feature} ${task}`, label: task, command: 'spec' }))
    case 'task':
      return about.isDone ? [] : [jobs]
    case 'peers':
      return [jobs]
    case undefined:
      return []
  }
}
