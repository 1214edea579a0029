/** Numbers that follow from a seed alone. */
export interface Random {
  /** From 0 up to 1. */
  next(): number
  /** A whole number from 0 up to `below`. */
  int(below: number): number
  between(least: number, most: number): number
  /** @param of 1: always */
  chance(of: number): boolean
  pick<T>(list: readonly T[]): T
  /** Exponentially distributed: the time between events that do not know of each other. */
  exponential(mean: number): number
  /** Numbers of their own, which do not change with what else is drawn. */
  fork(name: string): Random
}

/** Small fast counter generator, 32 bits (Chris Doty-Humphrey, PractRand), seeded by the FNV-1a hash of a text. */
export function createRandom(seed: string): Random {
  let [a, b, c, counter] = [hash(`${seed}#a`), hash(`${seed}#b`), hash(`${seed}#c`), 1]

  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let warm = 0; warm < 12; warm++) next()

  const random: Random = {
    next,
    int: below => Math.floor(next() * below),
    between: (least, most) => least + next() * (most - least),
    chance: of => next() < of,
    pick(list) {
      const chosen = list[random.int(list.length)]
      if (chosen === undefined) throw new Error('There is nothing to pick from')
      return chosen
    },
    exponential: mean => -mean * Math.log(1 - next()),
    fork: name => createRandom(`${seed}/${name}`),
  }
  return random
}

function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value | 0
}
