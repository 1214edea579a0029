import { formatDuration } from '#server/lib/units.ts'
import type { PlacementRecord } from '#shared/model/index.ts'
import { sanitizeLine } from '../sanitize.ts'
import type { World } from '../world.ts'

/** How the attempts of a job came to their nodes: who was asked, what each answered, who got it. */
export function renderPlacements(records: readonly PlacementRecord[], paint: World['out']['paint']): string[] {
  return records.flatMap(({ epoch, at, asked, filtered, awarded }) => [
    `attempt ${epoch}, announced ${at}`,
    ...asked.map(({ node, name, why, answer, ms }) => {
      const won = node === awarded
      const line = `  ${won ? '✓' : ' '} ${sanitizeLine(name)} (asked: ${why}, ${ms} ms): ${told(answer)}`
      return won ? paint('green', line) : line
    }),
    ...filtered.map(({ name, why }) => paint('dim', `    ${sanitizeLine(name)} was not asked: ${sanitizeLine(why)}`)),
    ...(awarded === null ? ['  nobody took it'] : []),
  ])
}

function told(answer: PlacementRecord['asked'][number]['answer']): string {
  switch (answer.kind) {
    case 'bid': {
      const parts = Object.entries(answer.parts).filter(([, ms]) => ms > 0)
      const sum = parts.map(([name, ms]) => `${name} ${formatDuration(ms)}`).join(' + ')
      return `score ${formatDuration(answer.score)}${sum ? ` = ${sum}` : ''}`
    }
    case 'no':
      return `no${answer.isTransient ? ' for now' : ''}: ${sanitizeLine(answer.reason)}`
    case 'silent':
      return `did not answer: ${sanitizeLine(answer.problem)}`
  }
}
