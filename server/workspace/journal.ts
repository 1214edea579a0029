import { appendFileSync } from 'node:fs'
import { chmod, cp, lstat, mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

type Step =
  | { readonly kind: 'move'; readonly from: string; readonly to: string }
  | { readonly kind: 'mkdir'; readonly path: string }
  | { readonly kind: 'rmdir'; readonly path: string; readonly mode: number }

/**
 * Changes to files that are all made or none: each step is written down before it is done, and undone in reverse order when a later
 * one fails, or by `recover` after the process was killed.
 */
export interface Journal {
  /** Moves a file or link to where nothing is. */
  move(from: string, to: string): Promise<void>
  /** Makes a directory and its parents. */
  makeDirectories(path: string): Promise<void>
  /** Removes an empty directory. */
  removeDirectory(path: string): Promise<void>
}

/** Some steps could not be undone; the journal and what was put aside are needed to try again. */
export class RestoreFailure extends AggregateError {}

const STEPS = 'journal'
const DONE = 'done'

/** @param directory where the journal is kept; the caller removes it afterwards */
export async function allOrNothing<T>(directory: string, work: (journal: Journal) => Promise<T>): Promise<T> {
  const steps: Step[] = []
  const record = (step: Step) => {
    appendFileSync(join(directory, STEPS), `${JSON.stringify(step)}\n`)
    steps.push(step)
  }
  const journal: Journal = {
    async move(from, to) {
      record({ kind: 'move', from, to })
      await move(from, to)
    },
    async makeDirectories(path) {
      const missing: string[] = []
      for (let at = path; !(await exists(at)); at = dirname(at)) missing.unshift(at)
      for (const at of missing) {
        record({ kind: 'mkdir', path: at })
        await mkdir(at)
      }
    },
    async removeDirectory(path) {
      const { mode } = await lstat(path)
      record({ kind: 'rmdir', path, mode: mode & 0o7777 })
      await rmdir(path)
    },
  }
  try {
    const result = await work(journal)
    await writeFile(join(directory, DONE), '')
    return result
  } catch (cause) {
    await undo(steps)
    throw cause
  }
}

/** Undoes what a killed process had begun. */
export async function recover(directory: string): Promise<void> {
  if (await exists(join(directory, DONE))) return
  const text = await readFile(join(directory, STEPS), 'utf8').catch(() => '')
  // The last line may be cut; its step was then not begun.
  const complete = text.slice(0, text.lastIndexOf('\n') + 1)
  await undo(
    complete
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line) as Step),
  )
}

/** A step that was written down may not have been done; one that cannot be undone does not keep the others from it. */
async function undo(steps: readonly Step[]): Promise<void> {
  const failures: unknown[] = []
  for (const step of steps.toReversed()) {
    try {
      if (step.kind === 'move') {
        if ((await exists(step.to)) && !(await exists(step.from))) await move(step.to, step.from)
      } else if (step.kind === 'mkdir') await rmdir(step.path).catch(() => {})
      else if (!(await exists(step.path))) {
        await mkdir(step.path)
        await chmod(step.path, step.mode)
      }
    } catch (cause) {
      failures.push(cause)
    }
  }
  if (failures.length > 0) throw new RestoreFailure(failures, failures.map(String).join('; '))
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EXDEV') throw cause
    await cp(from, to, { verbatimSymlinks: true, preserveTimestamps: true, errorOnExist: true, force: false })
    await rm(from)
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
