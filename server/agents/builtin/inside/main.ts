import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '#server/lib/message-of.ts'
import { work } from './loop.ts'
import { createModel } from './model.ts'
import { Assignment, cut, MAX_LINE, MAX_TOOL_TEXT, type Report } from './protocol.ts'

/** The agent that is always there: runs inside a sandbox, takes its assignment from stdin, reports on stdout. */
const report = (part: Report) => {
  const line = JSON.stringify(part)
  // Only a diff of much that has to be escaped comes so long; the result shows it anyway.
  if (line.length <= MAX_LINE) process.stdout.write(`${line}\n`)
}

try {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk
  const { task, ...endpoint } = Assignment.parse(JSON.parse(text))
  const note = (line: string) => report({ type: 'log', text: `── ${line}\n` })
  await work(task, { root: process.cwd(), ask: createModel(endpoint, { pause: ms => pause(ms), note }), report })
} catch (error) {
  report({ type: 'failed', detail: cut(messageOf(error), MAX_TOOL_TEXT) })
  process.exitCode = 1
}
