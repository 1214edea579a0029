/** One place of one file that reads differently. */
interface Edit {
  /** From the root of the repository. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
}

/** A fault to be planted in the sources as they are read; the product itself has no switch for it. */
export interface Planted {
  readonly name: string
  readonly edits: readonly Edit[]
}

const fault = (name: string, file: string, find: string, replace: string): Planted => ({ name, edits: [{ file, find, replace }] })

const AWAY = 'server/jobs/away.ts'
const GIVING = 'server/jobs/giving.ts'
const HOME = 'server/jobs/bringing-home.ts'
const HOSTING = 'server/jobs/hosting.ts'
const HOSTED_WORK = 'server/jobs/hosted-work.ts'
const LEASE = 'server/jobs/lease.ts'
const PEERS = 'server/jobs/peer-handlers.ts'
const SCHEDULER = 'server/jobs/scheduler.ts'
const ENDING = 'server/jobs/ending.ts'
const CONCLUDE = 'server/jobs/conclude.ts'
const RECOVERY = 'server/jobs/recovery.ts'
const DISMISSALS = 'server/jobs/dismissals.ts'
const NEGOTIATION = 'server/jobs/negotiation.ts'
const RESERVATIONS = 'server/placement/reservations.ts'
const WRITER = 'server/logs/writer.ts'
const SYNCED = 'await file.sync()\n        synced(written)'
const LINK = 'server/peers/link.ts'
const GOSSIP = 'server/peers/gossip.ts'
const EVENTS = 'server/events/events.ts'
const STORE = 'test/sim/store.ts'

/** Faults of the kind that people make in such code. Each breaks a promise; the simulation has to notice. */
export const PLANTED: readonly Planted[] = [
  // Leases.
  fault('the worker goes on when its lease has ended', HOSTING, "() => controller.abort(new Stop('lease'))", '() => {}'),
  fault('a renewal counts from now, not from the mark', HOSTING, 'mark - origin + Math', 'clock.monotonic() + Math'),
  fault('a renewal gives twice the lease', HOSTING, 'Math.min(leaseMs, LONGEST_AWAY_MS)', '2 * leaseMs'),
  fault('a lease is never extended', LEASE, 'if (until <= end) return', 'if (end > 0) return'),
  fault('the home sends no mark', AWAY, 'leaseMs: terms.leaseMs, mark,', 'leaseMs: terms.leaseMs, mark: null,'),
  fault('the home takes an attempt for lost at the first silence', AWAY, 'asked - heardAt > terms.waitMs', 'asked >= heardAt'),
  fault('the home waits for half a lease', AWAY, 'asked - heardAt > terms.waitMs', 'asked - heardAt > terms.waitMs / 2'),
  fault('the home ends a lease before the worker does', LEASE, 'MARGIN = 1.05', 'MARGIN = 0.8'),

  // Awards.
  fault(
    'nothing is written before the award',
    GIVING,
    'events: [placed], at: clock.now(), away }',
    'events: [placed], at: clock.now() }',
  ),
  fault('an award without an answer counts as refused', GIVING, '|| clock.monotonic() > over', '|| true'),
  fault('a lost award is not waited for as long as its lease', GIVING, '(winner.ttlMs + award.leaseMs) * MARGIN', 'winner.ttlMs'),
  fault('an award that is asked again is refused', PEERS, 'if (before) return { status: 200, body: before }', ''),
  fault('the winner is released with the losers', NEGOTIATION, 'asked.filter(one => one !== won)', 'asked'),
  fault(
    'a snapshot is not sent after a restart',
    GIVING,
    'return given(job, [], await',
    'return given({ ...job, snapshot: null }, [], await',
  ),
  fault(
    'the attempt begins before its snapshot is there',
    HOSTED_WORK,
    'await arrived\n',
    "await Promise.race([arrived, Promise.resolve('/none')])\n",
  ),
  fault(
    'the work is given under the next epoch',
    GIVING,
    '    epoch: job.epoch,\n    leaseMs',
    '    epoch: job.epoch + 1,\n    leaseMs',
  ),

  // Places.
  fault('a promise never expires', RESERVATIONS, 'clock.after(ttlMs, () => release(id))', 'clock.after(1e12, () => release(id))'),
  fault(
    'what was taken expires too',
    RESERVATIONS,
    '      found.cancelExpiry()\n      found.isTaken = true',
    '      found.isTaken = true',
  ),
  fault('one place more is promised than there is', RESERVATIONS, 'held.size < slots', 'held.size <= slots'),
  fault('who waits does not move up', RESERVATIONS, '    if (!drop(id)) return\n    moveUp()\n', '    if (!drop(id)) return\n'),
  fault(
    'a place is kept when an attempt has ended here',
    SCHEDULER,
    '    reservations.release(placeId)\n    await settled',
    '    await settled',
  ),
  {
    name: 'a place is kept when an attempt of another node has ended',
    edits: [
      {
        file: HOSTING,
        find: '    reservations.release(award.bidId)\n    await hosted.append',
        replace: '    await hosted.append',
      },
      { file: HOSTING, find: '        reservations.release(award.bidId)\n      })\n', replace: '      })\n' },
    ],
  },
  fault('the count of jobs that look for a node only rises', SCHEDULER, '      looking -= 1\n', ''),

  // Events and logs.
  fault('how far events are known is not kept', AWAY, 'report.events.at(-1)?.n ?? away.seen', 'away.seen'),
  fault('the first new event is skipped', AWAY, 'after: away.seen,', 'after: away.seen + 1,'),
  fault('an end is told before the events that lead to it', HOSTING, 'end: isAll ? end : null', 'end'),
  fault(
    'the log is read from its start again',
    LINK,
    'query: { offset } }, { signal })),\n    result',
    'query: {} }, { signal })),\n    result',
  ),
  fault(
    'the log is read from the offset in the whole log',
    HOME,
    'const offset = writer.offset - logOffset',
    'const offset = writer.offset',
  ),
  fault('every attempt logs from the start', GIVING, 'const logOffset = await logs.size(jobId)', 'const logOffset = 0'),
  {
    name: 'an end is taken before all of the log has come',
    edits: [
      { file: HOME, find: '&& writer.dropped === 0 &&', replace: '&& false &&' },
      { file: HOME, find: 'if (writer.dropped === 0 &&', replace: 'if (false &&' },
    ],
  },
  // With the sync left in place nothing would break: all that waits is written while it lasts.
  fault('a log is closed before it is written', WRITER, `if ((await writer.flush()) === size) return\n        ${SYNCED}`, ''),
  fault('a log is closed before it is on disk', WRITER, SYNCED, 'synced(written)'),
  fault('a log forgets how much it has written', WRITER, '        written += batch.byteLength\n', ''),
  fault(
    'offsets of evidence count in the attempt, not in the job',
    'server/jobs/hosted-attempt.ts',
    'options), logOffset, outflow)',
    'options), 0, outflow)',
  ),
  fault('a follower hears events twice', EVENTS, 'if (source.cursor(event) <= cursor) continue', ''),
  fault('what a slow follower missed is not read again', EVENTS, '        overflowed = true\n', ''),

  // Ends.
  fault('a log is never sealed', ENDING, 'await seal(job.id)\n', 'void 0\n'),
  fault('a result is not delivered', ENDING, 'if (job?.undelivered) await deliver(job)', ''),
  fault(
    'the commit is not fetched',
    HOME,
    'await fetchBundle(source, file, told, mostOf(maxBytes, await freeRoom()), signal)',
    'false',
  ),
  fault('the result is not kept for the home', HOSTED_WORK, 'await workspace.bundle(', 'void (async (..._: unknown[]) => {})('),
  fault('an ended job remembers its processes', CONCLUDE, 'forgetProcesses: true,', 'forgetProcesses: false,'),
  fault('nodes are not told that an attempt is over', DISMISSALS, 'if (await tell(dismissal))', 'if (dismissal)'),
  fault(
    'an attempt is forgotten without being stopped',
    HOSTING,
    "attempt?.controller.abort(new Stop('cancel'))\n    await attempt?.done\n",
    '',
  ),

  // Restarts.
  fault(
    'jobs that were cut off stay where they were',
    RECOVERY,
    'else await ending.settle(job,',
    'else void (async (..._: unknown[]) => {})(job,',
  ),
  fault(
    'attempts elsewhere are given up at a restart',
    RECOVERY,
    'if (row?.epoch === job.epoch) followed.push',
    'if (!row) followed.push',
  ),
  fault('attempts elsewhere are not followed after a restart', SCHEDULER, 'of followed) {', 'of followed.slice(0, 0)) {'),
  fault('programs of an earlier server live on', RECOVERY, 'await executor.reap(recorded)', '0'),
  fault('directories of an earlier server stay', RECOVERY, 'of leftovers)\n', 'of leftovers.slice(0, 0))\n'),
  fault(
    'a restarted worker does not say what it lost',
    HOSTING,
    'if (row.end === null && !(await takeUp(row)))',
    'if (row.end === undefined && !(await takeUp(row)))',
  ),

  // Gossip.
  fault('cards are not taken', GOSSIP, 'if (opened && state.learn', 'if (opened === undefined && state.learn'),
  fault('gossip stops after a look', GOSSIP, '      tell()\n      turn()\n    })\n', '      tell()\n    })\n'),
  fault(
    'a node whose clock was set back is not believed again',
    GOSSIP,
    'Math.max(card.seq, state.ownFloor + 1, (state.own?.seq ?? 0) + 1)',
    'card.seq',
  ),

  fault('a node that gave a job back is asked again at once', 'server/jobs/placing.ts', 'if (broken !== null) return broken', ''),

  // The store, which here is a port of the simulation.
  fault('an epoch is given twice', STORE, 'const epoch = job.row.epoch + 1', 'const epoch = Math.max(1, job.row.epoch)'),
  fault(
    'a job is accepted before it is on disk',
    STORE,
    'admit: job => write(batch => admit(batch, job))',
    "admit: async job => (void write(batch => admit(batch, job)), { outcome: 'accepted', id: job.job.id, state: 'queued' })",
  ),
  fault(
    'a change is told before it is on disk',
    STORE,
    'return write(batch => change(batch, wanted), options)',
    'return (void write(batch => change(batch, wanted), options), true)',
  ),
  fault('an older epoch may still change a job', STORE, '|| job.row.epoch !== wanted.guard.epoch', ''),
  fault(
    'a request that is repeated is a new job',
    'server/jobs/admission.ts',
    'idempotency: key === null ? null : { key, bodyHash }',
    'idempotency: null',
  ),
]
