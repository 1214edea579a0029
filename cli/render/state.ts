import type { JobState } from '#shared/model/index.ts'
import type { Paint } from '../terminal.ts'

export const STATE_LOOKS: Record<JobState, readonly [mark: string, style: Parameters<Paint>[0]]> = {
  queued: ['·', 'dim'],
  placing: ['·', 'dim'],
  preparing: ['•', 'cyan'],
  running: ['•', 'blue'],
  checking: ['•', 'cyan'],
  succeeded: ['✓', 'green'],
  failed: ['✗', 'red'],
  cancelled: ['–', 'yellow'],
}

/** A state with its mark and colour. */
export function renderState(state: JobState, paint: Paint): string {
  const [mark, style] = STATE_LOOKS[state]
  return paint(style, `${mark} ${state}`)
}
