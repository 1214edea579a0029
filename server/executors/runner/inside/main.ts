// Runs inside a sandbox, whatever made it: starts programs when its home says so, keeps their output until the home has it, and goes on
// while the way home is broken.
//   node runner.mjs TOKEN_FILE
import { readFileSync } from 'node:fs'
import type { RunnerToken } from '../protocol.ts'
import { createAnswers } from './answers.ts'
import { stayInTouch } from './home.ts'
import { killAll } from './measure.ts'
import { openWayOut } from './way-out.ts'

const [, , tokenFile] = process.argv
if (!tokenFile) {
  console.error('usage: runner TOKEN_FILE')
  process.exit(64)
}
// Made by the home and in a place that only it can write.
const token = JSON.parse(readFileSync(tokenFile, 'utf8')) as RunnerToken

const end = () => {
  killAll(token)
  process.exit(0)
}
process.on('SIGTERM', end)
// What it says goes to nobody in particular; a closed terminal must not end it.
process.on('SIGHUP', () => {})

const wayOut = token.relayPort === null ? null : await openWayOut(token.relayPort)
// The last answer goes out first.
const answers = createAnswers(token, wayOut, () => setTimeout(end, 100))
await stayInTouch(token.homes, token.awayMs, answers)
end()
