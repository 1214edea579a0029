import { describe, expect, test } from 'vitest'
import { filesContract } from '#test/contract/files.ts'
import { storeContract } from '#test/contract/store.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { createDisk } from './disk.ts'
import { createRandom } from './random.ts'
import { createServerProcess } from './server-process.ts'
import { emptyTables, memoryStore } from './store.ts'
import { createTimeline, type Timeline } from './timeline.ts'

function makeDisk(timeline: Timeline, before = () => true) {
  return createDisk({ timeline, random: createRandom('disk'), before, after() {} })
}

/** A timeline on which time passes by itself, so that what waits for the disk goes on. */
function passing(): Timeline {
  const timeline = createTimeline()
  const after: Timeline['after'] = (ms, call) => {
    const cancel = timeline.after(ms, call)
    setImmediate(() => timeline.step())
    return cancel
  }
  return { ...timeline, after }
}

storeContract('memory', async () =>
  memoryStore({ tables: emptyTables(), clock: virtualClock(), commit: apply => void setImmediate(() => apply()()) }),
)

filesContract('the simulated disk', () => {
  const files = makeDisk(passing()).files(createServerProcess())
  void files.makeDirectory('/root')
  return { files, root: '/root' }
})

describe('the simulated disk', () => {
  async function written() {
    const timeline = passing()
    const disk = makeDisk(timeline)
    const files = disk.files(createServerProcess())
    await files.makeDirectory('/logs')
    const file = await files.open('/logs/a', 'append')
    await file.write(Buffer.from('safe'), 0)
    await file.sync()
    await file.write(Buffer.from(' or not'), 4)
    return disk
  }

  test('keeps what was synced when the power goes, and any part of the rest', async () => {
    const sizes = new Set<number>()
    for (let seed = 0; seed < 50; seed++) {
      const disk = await written()
      disk.losePower(createRandom(`${seed}`))
      const left = Buffer.from(disk.read('/logs/a') ?? []).toString()
      expect('safe or not'.startsWith(left) && left.startsWith('safe')).toBe(true)
      sizes.add(left.length)
    }
    expect(sizes.size).toBe(8)
  })

  test('refuses what is written to a file that was closed', async () => {
    const files = makeDisk(passing()).files(createServerProcess())
    await files.makeDirectory('/logs')
    const file = await files.open('/logs/a', 'append')
    await file.close()
    await expect(file.write(Buffer.from('late'), 0)).rejects.toMatchObject({ code: 'EBADF' })
    await expect(file.sync()).rejects.toMatchObject({ code: 'EBADF' })
  })

  test('does nothing for a server that has ended, and tells it nothing', async () => {
    const timeline = createTimeline()
    const disk = makeDisk(timeline)
    const server = createServerProcess()
    const applied: string[] = []
    disk.commit(server, () => {
      applied.push('before')
      return () => applied.push('told')
    })
    timeline.step()
    disk.commit(server, () => {
      applied.push('cut off')
      return () => {}
    })
    server.end('kill')
    timeline.step()
    expect(applied).toEqual(['before', 'told'])
  })
})

test('a paused server hears of everything later, timers first; an ended one of nothing', () => {
  const server = createServerProcess()
  const heard: string[] = []
  server.pause()
  server.deliver(() => heard.push('message'))
  server.deliverTimer(() => heard.push('timer'))
  expect(heard).toEqual([])
  server.resume()
  server.deliver(() => heard.push('now'))
  expect(heard).toEqual(['timer', 'message', 'now'])
  server.end('kill')
  server.deliver(() => heard.push('never'))
  expect(heard).toHaveLength(3)
})
