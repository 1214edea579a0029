import { work } from './loop.ts'
import { Assignment, type Report } from './protocol.ts'

/** The agent that is always there: runs inside a sandbox, takes its assignment from stdin, reports on stdout. */
const report = (line: Report) => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

try {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk
  await work(Assignment.parse(JSON.parse(text)), process.cwd(), report)
} catch (error) {
  report({ type: 'failed', detail: error instanceof Error ? error.message : String(error) })
  process.exitCode = 1
}
