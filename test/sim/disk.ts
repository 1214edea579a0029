import { dirname } from 'node:path'
import type { Files, OpenFile } from '#server/lib/files.ts'
import type { Random } from './random.ts'
import type { ServerProcess } from './server-process.ts'
import type { Timeline } from './timeline.ts'

interface Content {
  bytes: Uint8Array
  size: number
  /** How much of it survives a loss of power for sure. */
  durable: number
}

/** The disk of one machine: what is on it outlives servers, and a loss of power as far as it was synced. */
export interface Disk {
  /** As one server sees it. What a server asked for and had no answer to when it ended was not done. */
  files(server: ServerProcess): Files
  /** One write that is done whole or not at all, and takes as long as a sync. @param apply what it does; returns what the server is told */
  commit(server: ServerProcess, apply: () => () => void): void
  /** Bytes of a file now; null where there is none. */
  read(path: string): Uint8Array | null
  list(directory: string): readonly string[]
  /** Takes away some or all of what was not synced. */
  losePower(random: Random): void
  /** How many times slower than usual it is. */
  slowness: number
}

export interface DiskDeps {
  readonly timeline: Timeline
  readonly random: Random
  /** Called around every write, with what is written; returning false before one means that the server has ended. */
  readonly before: (server: ServerProcess, what: string) => boolean
  readonly after: (what: string) => void
}

const WRITE_MS = 0.2
const SYNC_MS = 2
const NEVER = new Promise<never>(() => {})

export function createDisk({ timeline, random, before, after }: DiskDeps): Disk {
  const contents = new Map<string, Content>()
  const directories = new Set<string>()

  const missing = (path: string): Error => Object.assign(new Error(`ENOENT: no such file: ${path}`), { code: 'ENOENT' })

  /** Does something once its time has come, and answers, unless the server ends before either. */
  function doLater(server: ServerProcess, ms: number, what: string, apply: () => void, done: () => void): void {
    timeline.after(ms * random.between(0.5, 1.5) * disk.slowness, () => {
      if (!server.isAlive() || !before(server, what)) return
      apply()
      after(what)
      server.deliver(done)
    })
  }

  /** What needs no time still needs a server that lives to hear of it. */
  const now = <T>(server: ServerProcess, answer: () => T): Promise<T> =>
    server.isAlive() ? new Promise(resolve => resolve(answer())) : NEVER

  const later = (server: ServerProcess, ms: number, what: string, apply: () => void): Promise<void> =>
    server.isAlive() ? new Promise(resolve => doLater(server, ms, what, apply, resolve)) : NEVER

  function openFile(server: ServerProcess, path: string, content: Content): OpenFile {
    let isClosed = false
    const closed = () => Promise.reject(Object.assign(new Error(`EBADF: bad file descriptor: ${path}`), { code: 'EBADF' }))
    return {
      size: () => now(server, () => content.size),
      read: (into, at) =>
        now(server, () => {
          const bytes = content.bytes.subarray(at, Math.min(content.size, at + into.byteLength))
          into.set(bytes)
          return bytes.byteLength
        }),
      write(bytes) {
        if (isClosed) return closed()
        const copy = bytes.slice()
        return later(server, WRITE_MS, `write ${path}`, () => append(content, copy))
      },
      sync: () =>
        isClosed
          ? closed()
          : later(server, SYNC_MS, `sync ${path}`, () => {
              content.durable = content.size
            }),
      close: () =>
        now(server, () => {
          isClosed = true
        }),
    }
  }

  const isBelow = (path: string, directory: string): boolean => path.startsWith(`${directory}/`)

  const disk: Disk = {
    slowness: 1,
    files: server => ({
      open: (path, mode) =>
        now(server, () => {
          let content = contents.get(path)
          if (!content) {
            if (mode === 'read' || !directories.has(dirname(path))) throw missing(path)
            content = { bytes: new Uint8Array(256), size: 0, durable: 0 }
            contents.set(path, content)
          }
          return openFile(server, path, content)
        }),
      makeDirectory: path =>
        now(server, () => {
          for (let each = path; each !== '/' && each !== '.'; each = dirname(each)) directories.add(each)
        }),
      remove: path =>
        later(server, WRITE_MS, `remove ${path}`, () => {
          for (const each of [...contents.keys()]) if (each === path || isBelow(each, path)) contents.delete(each)
          for (const each of [...directories]) if (each === path || isBelow(each, path)) directories.delete(each)
        }),
      list: path => now(server, () => [...disk.list(path)]),
      size: path => now(server, () => contents.get(path)?.size ?? null),
    }),
    commit(server, apply) {
      // What is told of it is the server's own code, which waits while the server is not let run.
      const write = () => {
        if (!server.isAlive() || !before(server, 'commit')) return
        const tell = apply()
        after('commit')
        if (server.isAlive()) tell()
      }
      timeline.after(SYNC_MS * random.between(0.5, 1.5) * disk.slowness, () => server.deliver(write))
    },
    read(path) {
      const content = contents.get(path)
      return content ? content.bytes.subarray(0, content.size) : null
    },
    list: directory => [
      ...new Set(
        [...contents.keys(), ...directories]
          .filter(path => isBelow(path, directory))
          .map(path => path.slice(directory.length + 1).split('/', 1)[0] ?? ''),
      ),
    ],
    losePower(luck) {
      for (const content of contents.values()) content.size = content.durable + luck.int(content.size - content.durable + 1)
    },
  }
  return disk
}

function append(content: Content, bytes: Uint8Array): void {
  const size = content.size + bytes.byteLength
  if (size > content.bytes.byteLength) {
    const grown = new Uint8Array(2 * size)
    grown.set(content.bytes.subarray(0, content.size))
    content.bytes = grown
  }
  content.bytes.set(bytes, content.size)
  content.size = size
}
