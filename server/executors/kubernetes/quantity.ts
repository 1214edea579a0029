/** A quantity that Kubernetes would refuse, or that makes no sense for a resource. The message is for people. */
export class QuantityError extends Error {
  constructor(text: string, why: string) {
    super(`${JSON.stringify(text.slice(0, 60))} is not a quantity: ${why}; such as 500m, 2, 512Mi or 1.5Gi`)
    this.name = 'QuantityError'
  }
}

const BINARY = new Map(['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((suffix, index) => [suffix, 1024 ** (index + 1)]))
const DECIMAL = new Map([
  ['n', 1e-9],
  ['u', 1e-6],
  ['m', 1e-3],
  ['', 1],
  ['k', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['P', 1e15],
  ['E', 1e18],
])
/** Kubernetes keeps quantities in 63 bits. */
const LARGEST = 2 ** 63
const LONGEST = 60

/**
 * Reads a quantity as Kubernetes writes it: a number, then a binary suffix, a decimal suffix or an exponent, and never two of them.
 * @throws {QuantityError} also for what is negative: there is no resource of which one can have less than none.
 */
export function parseQuantity(text: string): number {
  const fail = (why: string) => new QuantityError(text, why)
  if (text.length > LONGEST) throw fail('it is too long')
  const [, sign, digits, suffix] = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(.*)$/s.exec(text) ?? []
  if (digits === undefined || suffix === undefined) throw fail('it does not begin with a number')
  if (sign === '-') throw fail('it is below zero')
  const scale = BINARY.get(suffix) ?? DECIMAL.get(suffix) ?? exponent(suffix)
  if (scale === null) throw fail(`there is no unit ${JSON.stringify(suffix)}`)
  const value = Number(digits) * scale
  if (!(value < LARGEST)) throw fail('it is too large')
  return value
}

function exponent(suffix: string): number | null {
  const [, power] = /^[eE]([+-]?\d{1,3})$/.exec(suffix) ?? []
  return power === undefined ? null : Number(`1e${power}`)
}

/** Bytes as a quantity: in the largest binary unit that says them exactly. */
export function formatBytes(bytes: number): string {
  const whole = Math.max(0, Math.ceil(bytes))
  const [suffix, scale] = [...BINARY].reverse().find(([, unit]) => whole >= unit && whole % unit === 0) ?? ['', 1]
  return `${whole / scale}${suffix}`
}

/** Processors as a quantity. Kubernetes counts thousandths, and no finer. */
export function formatCores(cores: number): string {
  const thousandths = Math.max(0, Math.ceil(Math.round(cores * 1e6) / 1e3))
  return thousandths % 1000 === 0 ? String(thousandths / 1000) : `${thousandths}m`
}
