import type { CommandId } from './commands.ts'

/** A place in a menu. */
export interface MenuRow {
  readonly command: CommandId
  readonly when: string
  readonly group: string
}

const ready = 'skein.server == ready'
const title = (view: string, command: CommandId, group: string, when = ready): MenuRow => ({
  command,
  when: `view == ${view} && ${when}`,
  group,
})
/** On rows whose context value has that word. */
const row = (view: string, word: string, command: CommandId, group: string): MenuRow => ({
  command,
  when: `view == ${view} && viewItem =~ /\\b${word}\\b/`,
  group,
})

export const VIEW_TITLE: readonly MenuRow[] = [
  title('skein.jobs', 'skein.jobs.new', 'navigation@1'),
  title('skein.jobs', 'skein.jobs.search', 'navigation@2', `${ready} && !skein.jobs.searching`),
  title('skein.jobs', 'skein.jobs.clearSearch', 'navigation@2', `${ready} && skein.jobs.searching`),
  title('skein.jobs', 'skein.jobs.groupBySpec', 'navigation@3', `${ready} && skein.jobs.grouping != spec`),
  title('skein.jobs', 'skein.jobs.groupByState', 'navigation@3', `${ready} && skein.jobs.grouping == spec`),
  title('skein.jobs', 'skein.jobs.refresh', 'navigation@4'),
  title('skein.jobs', 'skein.server.openWeb', 'z_server@1'),
  title('skein.jobs', 'skein.server.showLog', 'z_server@2', 'true'),
  title('skein.jobs', 'skein.server.doctor', 'z_server@3', 'true'),
  title('skein.peers', 'skein.peers.add', 'navigation@1'),
  title('skein.peers', 'skein.peers.pair', 'navigation@2'),
  title('skein.peers', 'skein.node.drain', 'node@1', `${ready} && !skein.node.draining`),
  title('skein.peers', 'skein.node.undrain', 'node@1', `${ready} && skein.node.draining`),
  title('skein.specs', 'skein.specs.refresh', 'navigation@1'),
]

export const VIEW_ROWS: readonly MenuRow[] = [
  row('skein.jobs', 'question', 'skein.jobs.answer', 'inline@1'),
  row('skein.jobs', 'result', 'skein.jobs.review', 'inline@2'),
  row('skein.jobs', 'result', 'skein.jobs.apply', 'inline@3'),
  row('skein.jobs', 'job', 'skein.jobs.openLog', 'inline@4'),
  row('skein.jobs', 'ended', 'skein.jobs.retry', 'inline@5'),
  row('skein.jobs', 'active', 'skein.jobs.cancel', 'inline@6'),
  row('skein.jobs', 'job', 'skein.jobs.open', '1_open@1'),
  row('skein.jobs', 'job', 'skein.jobs.openLog', '1_open@2'),
  row('skein.jobs', 'result', 'skein.jobs.review', '2_result@1'),
  row('skein.jobs', 'result', 'skein.jobs.apply', '2_result@2'),
  row('skein.jobs', 'result', 'skein.jobs.checkout', '2_result@3'),
  row('skein.jobs', 'question', 'skein.jobs.answer', '3_steer@1'),
  row('skein.jobs', 'active', 'skein.jobs.cancel', '3_steer@2'),
  row('skein.jobs', 'ended', 'skein.jobs.retry', '3_steer@3'),
  row('skein.jobs', 'ended', 'skein.jobs.discard', '3_steer@4'),
  row('skein.jobs', 'job', 'skein.jobs.why', '4_more@1'),
  row('skein.jobs', 'job', 'skein.jobs.copyId', '4_more@2'),
  row('skein.peers', 'untrusted', 'skein.peers.trust', 'inline@1'),
  row('skein.peers', 'untrusted', 'skein.peers.trust', '1_trust@1'),
  row('skein.peers', 'peer', 'skein.peers.remove', '1_trust@2'),
  row('skein.peers', 'peer', 'skein.peers.copyAddress', '2_copy@1'),
  row('skein.peers', 'self', 'skein.node.drain', '1_node@1'),
  row('skein.peers', 'self', 'skein.node.undrain', '1_node@2'),
  row('skein.specs', 'task', 'skein.specs.runTask', 'inline@1'),
  row('skein.specs', 'task', 'skein.specs.runTask', '1_run@1'),
  row('skein.specs', 'result', 'skein.jobs.review', 'inline@2'),
  row('skein.specs', 'result', 'skein.jobs.review', '2_result@1'),
  row('skein.specs', 'result', 'skein.jobs.apply', '2_result@2'),
  row('skein.specs', 'hasjob', 'skein.jobs.open', '2_result@3'),
  row('skein.specs', 'open', 'skein.specs.tick', '3_tick@1'),
  row('skein.specs', 'document', 'skein.specs.openTask', '4_open@1'),
]
