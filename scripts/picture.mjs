// Draws what a command prints as a terminal window: node scripts/picture.mjs OUT.svg TITLE -- COMMAND ARGS…
// The pictures in the README are made by this and by nothing else.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

const [out, title, separator, command, ...args] = process.argv.slice(2)
if (!out || separator !== '--' || !command) {
  console.error('usage: node scripts/picture.mjs OUT.svg TITLE -- COMMAND ARGS…')
  process.exit(64)
}
const { stdout, status } = spawnSync(command, args, {
  encoding: 'utf8',
  env: { ...process.env, FORCE_COLOR: '1', COLUMNS: '100' },
  maxBuffer: 1 << 26,
})
if (status !== 0) {
  console.error(`${command} exited with ${status}; no picture was made`)
  process.exit(1)
}

const COLOURS = {
  30: '#6e7681',
  31: '#ff7b72',
  32: '#3fb950',
  33: '#d29922',
  34: '#58a6ff',
  35: '#bc8cff',
  36: '#39c5cf',
  37: '#c9d1d9',
  90: '#6e7681',
}
const escapeXml = text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** One line with SGR sequences as tspans; every other control sequence is dropped. */
function draw(line) {
  let style = ''
  let svg = ''
  for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
    const sgr = /^\x1b\[([0-9;]*)m$/.exec(part)
    if (!sgr) {
      const text = escapeXml(part.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f]/g, ''))
      if (text) svg += `<tspan${style}>${text}</tspan>`
      continue
    }
    for (const code of (sgr[1] || '0').split(';')) {
      if (code === '0' || code === '39' || code === '22') style = ''
      if (code === '1') style = ' font-weight="bold"'
      if (code === '2') style = ' fill="#8b949e"'
      if (COLOURS[code]) style = ` fill="${COLOURS[code]}"`
    }
  }
  return svg
}

const [LINE, CHAR, PAD] = [18, 8.4, 16]
const wrap = line => (line.replaceAll(/\x1b\[[0-9;]*m/g, '').length > 118 ? `${line.slice(0, 118)}…` : line)
const lines = stdout.replaceAll('\r', '').trimEnd().split('\n').map(wrap)
const width = 118 * CHAR + 2 * PAD
const height = lines.length * LINE + 3 * PAD + 20
const rows = lines.map((line, index) => `<text x="${PAD}" y="${52 + index * LINE}" xml:space="preserve">${draw(line)}</text>`)
writeFileSync(
  out,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14" fill="#c9d1d9">
<title>Terminal: ${escapeXml(title)}</title>
<rect width="100%" height="100%" rx="10" fill="#0d1117"/>
<circle cx="20" cy="18" r="6" fill="#ff5f56"/><circle cx="40" cy="18" r="6" fill="#ffbd2e"/><circle cx="60" cy="18" r="6" fill="#27c93f"/>
<text x="${width / 2}" y="23" text-anchor="middle" fill="#8b949e">${escapeXml(title)}</text>
${rows.join('\n')}
</svg>
`,
)
console.log(`${out}: ${lines.length} lines`)
