import type { CodeLens } from 'vscode-languageserver'
import { LSP_COMMANDS, type SpecTaskArgument } from '#shared/contract/index.ts'
import { isEnd, type SpecJob } from '#shared/model/index.ts'
import { onLine } from './documents.ts'
import type { WorkspaceFeature } from './workspace.ts'

/** What can be done with each task of a document, over its line. */
export function lensesOf(
  feature: WorkspaceFeature,
  path: string,
  uri: string,
  jobs: ReadonlyMap<string, SpecJob> | null,
): CodeLens[] {
  return feature.tasks
    .filter(task => task.path === path)
    .flatMap(({ id, title, line, start, end, box }) => {
      const job = jobs?.get(id)
      const argument: SpecTaskArgument = {
        ...{ feature: feature.name, task: id, title, document: uri },
        repository: feature.root,
        jobId: job?.jobId ?? null,
      }
      const lens = (text: string, command: string, of: object): CodeLens => ({
        range: onLine(line, { start, end }),
        command: { title: text, command, arguments: [of] },
      })
      const run = (text: string) => lens(text, LSP_COMMANDS.runTask, argument)
      if (!job) return box.isTicked ? [] : [run('Run')]
      const { jobId, state, node } = job
      if (!isEnd(state)) return [lens(activity(state, node), LSP_COMMANDS.openJob, { jobId })]
      if (state === 'succeeded') return [lens('Review', LSP_COMMANDS.reviewJob, { jobId })]
      return [run('Run again'), lens(state === 'failed' ? 'Failed' : 'Cancelled', LSP_COMMANDS.openJob, { jobId })]
    })
}

function activity(state: SpecJob['state'], node: string | null): string {
  const word = state === 'running' ? 'Running' : state === 'checking' ? 'Checking' : state === 'preparing' ? 'Preparing' : 'Waiting'
  return node === null ? word : `${word} on ${node}`
}
