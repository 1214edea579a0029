// The least a server of this kind can be: Node with node:sqlite and ws, one table, one socket. Plain JavaScript, because removing
// types would cost it more than all the rest. Argument: its directory.
import { createServer } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { WebSocketServer } from 'ws'

const db = new DatabaseSync(join(process.argv[2] ?? '.', 'bare.db'))
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS job (id TEXT PRIMARY KEY)')
const server = createServer((_, response) => response.end('ready'))
new WebSocketServer({ server })
server.listen(0, '127.0.0.1', () => process.stdout.write('ready\n'))
