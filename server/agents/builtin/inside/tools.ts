import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, relative } from 'node:path'
import * as z from 'zod'
import { createExcerpt, runCommand } from './command.ts'
import { confine, filesBelow, readText, ToolError } from './files.ts'
import type { Report } from './protocol.ts'

/** Longest answer of a tool that a model is given, characters; a little less than what an event carries. */
const MAX_OUTPUT = 16_000
const MAX_FOUND = 200
const MAX_LISTED = 1_000
const MAX_MATCH = 300
const RUN_TIMEOUT_MS = 10 * 60_000

/** What a tool did, for the model and for the record. */
export interface ToolResult {
  readonly output: string
  readonly diff?: { readonly path: string; readonly oldText: string | null; readonly newText: string }
}

export interface Tool<S extends z.ZodType = z.ZodType> {
  readonly description: string
  readonly kind: Extract<Report, { type: 'tool' }>['kind']
  readonly input: S
  title(input: z.infer<S>): string
  /** @throws {ToolError} and whatever the system says; the model is told the message. */
  run(input: z.infer<S>, context: { root: string; log(text: string): void }): Promise<ToolResult>
}
/** Tools of different inputs in one table; each is given only what its own schema has parsed. */
const tool = <S extends z.ZodType>(definition: Tool<S>): Tool => definition as unknown as Tool

function shorten(text: string): string {
  const excerpt = createExcerpt(MAX_OUTPUT / 2)
  excerpt.add(text)
  return excerpt.text()
}

const path = z.string().min(1).describe('Path relative to the work tree')

export const TOOLS: Readonly<Record<string, Tool>> = {
  read: tool({
    description: 'Read a text file, with line numbers.',
    kind: 'read',
    input: z.object({ path, from: z.int().min(1).optional().describe('First line'), lines: z.int().min(1).optional() }),
    title: input => `read ${input.path}`,
    async run({ path: name, from = 1, lines = 1000 }, { root }) {
      const all = readText(root, name).split('\n')
      const shown = all.slice(from - 1, from - 1 + lines).map((line, index) => `${from + index}\t${line}`)
      const left = all.length - (from - 1) - shown.length
      return { output: shorten(shown.join('\n') + (left > 0 ? `\n[${left} more lines]` : '')) }
    },
  }),
  list: tool({
    description: 'List files below a directory.',
    kind: 'read',
    input: z.object({ path: path.optional() }),
    title: input => `list ${input.path ?? '.'}`,
    async run({ path: name = '.' }, { root }) {
      const found: string[] = []
      for (const file of filesBelow(confine(root, name))) {
        if (found.push(relative(root, file)) >= MAX_LISTED) break
      }
      return { output: shorten(found.join('\n') || '(no files)') }
    },
  }),
  search: tool({
    description: 'Find lines that contain a text, in all files below a directory.',
    kind: 'search',
    input: z.object({ text: z.string().min(1), path: path.optional() }),
    title: input => `search ${JSON.stringify(input.text)}`,
    async run({ text, path: name = '.' }, { root }) {
      const found: string[] = []
      for (const file of filesBelow(confine(root, name))) {
        for (const [index, line] of linesOf(root, file).entries()) {
          if (line.includes(text)) found.push(`${relative(root, file)}:${index + 1}: ${line.trim().slice(0, MAX_MATCH)}`)
        }
        if (found.length >= MAX_FOUND) break
      }
      return { output: shorten(found.slice(0, MAX_FOUND).join('\n') || '(nothing found)') }
    },
  }),
  write: tool({
    description: 'Create a file, or replace all of it.',
    kind: 'edit',
    input: z.object({ path, content: z.string() }),
    title: input => `write ${input.path}`,
    async run({ path: name, content }, { root }) {
      const file = confine(root, name)
      const oldText = textOrNull(root, name)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, content)
      return { output: `${name} written`, diff: { path: name, oldText, newText: content } }
    },
  }),
  edit: tool({
    description: 'Replace a text that stands exactly once in a file.',
    kind: 'edit',
    input: z.object({ path, oldText: z.string().min(1), newText: z.string() }),
    title: input => `edit ${input.path}`,
    async run({ path: name, oldText, newText }, { root }) {
      const before = readText(root, name)
      const parts = before.split(oldText)
      if (parts.length !== 2)
        throw new ToolError(
          `the text stands ${parts.length - 1} times in ${name}; give more of its surroundings so that it stands once`,
        )
      const after = parts.join(newText)
      await writeFile(confine(root, name), after)
      return { output: `${name} edited`, diff: { path: name, oldText: before, newText: after } }
    },
  }),
  run: tool({
    description:
      'Run a shell command in the work tree, and see its output and exit code. What it leaves running in the background is ended.',
    kind: 'execute',
    input: z.object({ command: z.string().min(1) }),
    title: input => `run ${input.command}`,
    async run({ command }, { root, log }) {
      const { output, ending } = await runCommand(command, { cwd: root, timeoutMs: RUN_TIMEOUT_MS, keep: MAX_OUTPUT / 2, log })
      return { output: `${output}\n[${ending}]` }
    },
  }),
}

/** Lines of a file to search in; of what cannot be read as text, none. */
function linesOf(root: string, file: string): readonly string[] {
  return textOrNull(root, file)?.split('\n') ?? []
}

function textOrNull(root: string, path: string): string | null {
  try {
    return readText(root, path)
  } catch {
    return null
  }
}
