import type { SpecFeature, SpecTask } from '#shared/model/index.ts'

/** Most of a text that is quoted for an agent. */
const LONGEST = 2_000
/** Most requirements that are quoted, and documents that are named; the folder has them all. */
const MOST_QUOTED = 20

/** What an agent is told to do for a task. The first line is the title of the job. */
export function taskPrompt({ feature, documents, requirements, criteria, stories }: SpecFeature, task: SpecTask): string {
  const { id, title, story, phase, after, paths } = task
  const covered = [...requirements, ...criteria].filter(({ tasks }) => tasks.includes(id)).slice(0, MOST_QUOTED)
  const served = stories.find(one => one.id === story)
  const line = (label: string, text: string | null): string[] => (text === null || text === '' ? [] : [`${label}: ${cut(text)}`])
  return [
    cut(`${id} ${title}`),
    '',
    `This is task ${id} of the feature ${feature} of this repository. Do this task and no other.`,
    ...line('User story', served ? `${served.id} ${served.title}` : null),
    ...line('Phase', phase),
    ...line('Files it names', paths.join(', ')),
    ...line('It follows', after.join(', ')),
    ...covered.flatMap(one => line(`It covers ${one.id}`, one.text)),
    '',
    `What is wanted stands in ${cut(
      documents
        .slice(0, MOST_QUOTED)
        .map(({ path }) => path)
        .join(', '),
    )}; read what you need of it.`,
    `Leave these documents as they are: the box of ${id} is ticked once checks have shown that it is done.`,
  ].join('\n')
}

const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text)
