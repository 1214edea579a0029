import type { CommandId } from './commands.ts'

/** A place in a menu. */
interface MenuRow {
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
  title('skein.jobs', 'skein.jobs.search', 'navigation@2'),
  title('skein.jobs', 'skein.jobs.filterState', 'navigation@3', `${ready} && !skein.jobs.filtered`),
  title('skein.jobs', 'skein.jobs.showAll', 'navigation@3', `${ready} && skein.jobs.filtered`),
  title('skein.jobs', 'skein.jobs.refresh', 'navigation@4'),
  title('skein.jobs', 'skein.jobs.groupBySpec', 'a_group@1', `${ready} && skein.jobs.grouping != spec`),
  title('skein.jobs', 'skein.jobs.groupByState', 'a_group@1', `${ready} && skein.jobs.grouping == spec`),
  title('skein.jobs', 'skein.jobs.filterState', 'b_filter@1'),
  title('skein.jobs', 'skein.jobs.onlyHere', 'b_filter@2', `${ready} && workspaceFolderCount > 0`),
  title('skein.jobs', 'skein.jobs.openPage', 'y_page@1'),
  title('skein.jobs', 'skein.server.openWeb', 'y_page@2'),
  title('skein.jobs', 'skein.server.showLog', 'z_server@2', 'true'),
  title('skein.jobs', 'skein.server.doctor', 'z_server@3', 'true'),
  title('skein.specs', 'skein.specs.refresh', 'navigation@1'),
  title('skein.peers', 'skein.peers.add', 'navigation@1'),
  title('skein.peers', 'skein.peers.pair', 'navigation@2'),
  title('skein.peers', 'skein.peers.openPage', 'navigation@3'),
  title('skein.peers', 'skein.node.drain', 'node@1', `${ready} && !skein.node.draining`),
  title('skein.peers', 'skein.node.undrain', 'node@1', `${ready} && skein.node.draining`),
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
  row('skein.jobs', 'result', 'skein.jobs.discard', '2_result@4'),
  row('skein.jobs', 'question', 'skein.jobs.answer', '3_steer@1'),
  row('skein.jobs', 'active', 'skein.jobs.cancel', '3_steer@2'),
  row('skein.jobs', 'ended', 'skein.jobs.retry', '3_steer@3'),
  row('skein.jobs', 'job', 'skein.jobs.copyId', '4_more@2'),
  row('skein.specs', 'proven', 'skein.specs.tick', 'inline@1'),
  row('skein.specs', 'todo', 'skein.specs.runTask', 'inline@2'),
  row('skein.specs', 'result', 'skein.specs.reviewJob', 'inline@3'),
  row('skein.specs', 'result', 'skein.specs.applyJob', 'inline@4'),
  row('skein.specs', 'active', 'skein.specs.openJob', 'inline@5'),
  row('skein.specs', 'runnable', 'skein.specs.runTask', '1_run@1'),
  row('skein.specs', 'proven', 'skein.specs.tick', '1_run@2'),
  row('skein.specs', 'tried', 'skein.specs.openJob', '2_job@1'),
  row('skein.specs', 'result', 'skein.specs.reviewJob', '2_job@2'),
  row('skein.specs', 'result', 'skein.specs.applyJob', '2_job@3'),
  row('skein.specs', 'written', 'skein.specs.reveal', '3_source@1'),
  row('skein.peers', 'untrusted', 'skein.peers.trust', 'inline@1'),
  row('skein.peers', 'working', 'skein.node.drain', 'inline@1'),
  row('skein.peers', 'draining', 'skein.node.undrain', 'inline@1'),
  row('skein.peers', 'untrusted', 'skein.peers.trust', '1_trust@1'),
  row('skein.peers', 'job', 'skein.jobs.open', '1_open@1'),
  row('skein.peers', 'peer', 'skein.peers.remove', '1_trust@2'),
  row('skein.peers', 'peer', 'skein.peers.copyAddress', '2_copy@1'),
  row('skein.peers', 'working', 'skein.node.drain', '1_node@1'),
  row('skein.peers', 'draining', 'skein.node.undrain', '1_node@2'),
]
