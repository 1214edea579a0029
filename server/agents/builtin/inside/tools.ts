import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import * as z from 'zod'
import { confine, ToolError } from './files.ts'
import type { Report } from './protocol.ts'

/** Longest answer of a tool that a model is given, characters. */
const MAX_OUTPUT = 16 * 1024
const MAX_FOUND = 200
const RUN_TIMEOUT_MS = 10 * 60_000
const SKIPPED = new Set(['.git', 'node_modules'])

/** What a tool did, for the model and for the record. */
export interface ToolResult {
  readonly output: string
  readonly diff?: { readonly path: string; readonly oldText: string | null; readonly newText: string }
}

interface Tool<S extends z.ZodType = z.ZodType> {
  readonly description: string
  readonly kind: Extract<Report, { type: 'tool' }>['kind']
  readonly input: S
  title(input: z.infer<S>): string
  run(input: z.infer<S>, context: { root: string; log(text: string): void }): Promise<ToolResult>
}
const tool = <S extends z.ZodType>(definition: Tool<S>): Tool => definition as unknown as Tool

const shorten = (text: string): string =>
  text.length <= MAX_OUTPUT
    ? text
    : `${text.slice(0, MAX_OUTPUT / 2)}\n… [${text.length - MAX_OUTPUT} characters left out] …\n${text.slice(-MAX_OUTPUT / 2)}`

const path = z.string().min(1).describe('Path relative to the work tree')

export const TOOLS: Readonly<Record<string, Tool>> = {
  read: tool({
    description: 'Read a text file, with line numbers.',
    kind: 'read',
    input: z.object({ path, from: z.int().min(1).optional().describe('First line'), lines: z.int().min(1).optional() }),
    title: input => `read ${input.path}`,
    async run({ path: name, from = 1, lines = 1000 }, { root }) {
      const all = (await readFile(confine(root, name), 'utf8')).split('\n')
      const shown = all.slice(from - 1, from - 1 + lines).map((line, index) => `${from + index}\t${line}`)
      return { output: shorten(shown.join('\n')) }
    },
  }),
  list: tool({
    description: 'List files below a directory.',
    kind: 'read',
    input: z.object({ path: path.optional() }),
    title: input => `list ${input.path ?? '.'}`,
    async run({ path: name = '.' }, { root }) {
      const found: string[] = []
      for await (const file of files(root, confine(root, name))) {
        if (found.push(relative(root, file)) >= 1000) break
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
      for await (const file of files(root, confine(root, name))) {
        const content = await readFile(file, 'utf8').catch(() => '')
        for (const [index, line] of content.split('\n').entries()) {
          if (line.includes(text)) found.push(`${relative(root, file)}:${index + 1}: ${line.trim().slice(0, 300)}`)
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
      const oldText = await readFile(file, 'utf8').catch(() => null)
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
      const file = confine(root, name)
      const before = await readFile(file, 'utf8')
      const parts = before.split(oldText)
      if (parts.length !== 2)
        throw new ToolError(
          `the text stands ${parts.length - 1} times in ${name}; give more of its surroundings so that it stands once`,
        )
      const after = parts.join(newText)
      await writeFile(file, after)
      return { output: `${name} edited`, diff: { path: name, oldText: before, newText: after } }
    },
  }),
  run: tool({
    description: 'Run a shell command in the work tree and see its output and exit code.',
    kind: 'execute',
    input: z.object({ command: z.string().min(1) }),
    title: input => `run ${input.command}`,
    run: ({ command }, { root, log }) => runCommand(command, root, log),
  }),
}

async function* files(root: string, directory: string): AsyncGenerator<string> {
  const entries = await readdir(directory, { withFileTypes: true })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (SKIPPED.has(entry.name)) continue
    const file = join(directory, entry.name)
    if (entry.isDirectory()) yield* files(root, file)
    else if (entry.isFile()) yield file
  }
}

/** The model writes shell commands; running them is what the sandbox around this program is for. */
function runCommand(command: string, root: string, log: (text: string) => void): Promise<ToolResult> {
  return new Promise(resolve => {
    const child = spawn('/bin/sh', ['-c', command], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUN_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    let output = ''
    const take = (chunk: string) => {
      log(chunk)
      // Enough for both ends of what the model is shown.
      output =
        output.length < 4 * MAX_OUTPUT ? output + chunk : `${output.slice(0, MAX_OUTPUT)}${output.slice(-2 * MAX_OUTPUT)}${chunk}`
    }
    child.stdout.setEncoding('utf8').on('data', take)
    child.stderr.setEncoding('utf8').on('data', take)
    child.once('error', error => resolve({ output: `could not be started: ${error.message}` }))
    child.once('close', (code, signal) =>
      resolve({ output: `${shorten(output)}\n[${signal ? `ended by ${signal}` : `exit code ${code}`}]` }),
    )
  })
}
