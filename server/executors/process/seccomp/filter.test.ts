import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Architecture, CLONE_NEW, GUARDED, REFUSED } from '../../syscalls.ts'
import { AND, assemble, type Instruction, JUMP_EQUAL, JUMP_GREATER_OR_EQUAL, LOAD, RETURN } from './bpf.ts'
import { ALLOW, AUDIT_ARCH, errno, jobFilter, KILL_PROCESS, TIOCSTI } from './filter.ts'

const ARCHITECTURES: Architecture[] = ['x64', 'arm64']

/** What the kernel would answer: the interpreter of kernel/bpf/core.c for the five opcodes we use. */
function judge(program: readonly Instruction[], call: { nr: number; arch: number; args?: bigint[] }): number {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(call.nr >>> 0, 0)
  data.writeUInt32LE(call.arch, 4)
  for (const [index, value] of (call.args ?? []).entries()) data.writeBigUInt64LE(BigInt.asUintN(64, value), 16 + 8 * index)
  let accumulator = 0
  for (let at = 0; at < program.length; at++) {
    const { code, jt, jf, k } = program[at] as Instruction
    if (code === LOAD) accumulator = data.readUInt32LE(k)
    else if (code === AND) accumulator = (accumulator & k) >>> 0
    else if (code === JUMP_EQUAL) at += accumulator === k ? jt : jf
    else if (code === JUMP_GREATER_OR_EQUAL) at += accumulator >= k ? jt : jf
    else if (code === RETURN) return k
  }
  throw new Error('The program runs off its end')
}

describe.each(ARCHITECTURES)('the filter on %s', architecture => {
  const program = jobFilter(architecture)
  const arch = AUDIT_ARCH[architecture]
  const nr = (call: keyof typeof GUARDED) => GUARDED[call][architecture]
  const special = new Set([...Object.values(REFUSED), ...Object.values(GUARDED)].map(numbers => numbers[architecture]))

  test('refuses every listed call, whatever its arguments', () => {
    const args = fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 6, maxLength: 6 })
    for (const [name, numbers] of Object.entries(REFUSED)) {
      const number = numbers[architecture]
      if (number === null) continue
      fc.assert(
        fc.property(args, given => {
          expect(judge(program, { nr: number, arch, args: given }), name).toBe(errno(1))
        }),
        { numRuns: 5 },
      )
    }
  })

  test('allows every other call of the architecture', () => {
    for (let number = 0; number < 512; number++) {
      if (!special.has(number)) expect(judge(program, { nr: number, arch }), String(number)).toBe(ALLOW)
    }
  })

  test('kills on another architecture', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(600), (other, number) => {
        fc.pre(other !== arch)
        expect(judge(program, { nr: number, arch: other })).toBe(KILL_PROCESS)
      }),
    )
  })

  test('clone may make processes and threads, not namespaces', () => {
    const flags = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    fc.assert(
      fc.property(flags, given => {
        const namespaces = (given & BigInt(CLONE_NEW)) !== 0n
        expect(judge(program, { nr: nr('clone'), arch, args: [given] })).toBe(namespaces ? errno(1) : ALLOW)
      }),
    )
    expect(judge(program, { nr: nr('clone'), arch, args: [0x3d0f00n] })).toBe(ALLOW) // a thread of glibc
    expect(judge(program, { nr: nr('clone'), arch, args: [0x10000000n] })).toBe(errno(1)) // CLONE_NEWUSER
    expect(judge(program, { nr: nr('clone3'), arch })).toBe(errno(38))
  })

  test('ioctl compares what the kernel compares: the low half', () => {
    expect(judge(program, { nr: nr('ioctl'), arch, args: [0n, BigInt(TIOCSTI)] })).toBe(errno(1))
    expect(judge(program, { nr: nr('ioctl'), arch, args: [0n, (1n << 32n) | BigInt(TIOCSTI)] })).toBe(errno(1))
    expect(judge(program, { nr: nr('ioctl'), arch, args: [0n, 0x5413n] })).toBe(ALLOW) // TIOCGWINSZ
  })

  test('sockets are unix, internet, or netlink for routes', () => {
    const family = (domain: bigint, protocol = 0n) => judge(program, { nr: nr('socket'), arch, args: [domain, 1n, protocol] })
    for (const domain of [1n, 2n, 10n, 16n]) expect(family(domain)).toBe(ALLOW)
    expect(family(16n, 15n)).toBe(errno(97))
    for (const domain of [0n, 3n, 15n, 17n, 21n, 38n, 40n, 44n]) expect(family(domain)).toBe(errno(97))
  })

  test('personality may be asked for and left as it is', () => {
    const persona = (value: bigint) => judge(program, { nr: nr('personality'), arch, args: [value] })
    for (const value of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn]) expect(persona(value)).toBe(ALLOW)
    for (const value of [0x0400000n, 0x0040000n, 1n]) expect(persona(value)).toBe(errno(1))
  })
})

test('the x32 calls, which share the architecture of x86-64, kill', () => {
  for (const number of [0x40000000, 0x40000000 + 165, 0x40000208, 0xffffffff]) {
    expect(judge(jobFilter('x64'), { nr: number, arch: AUDIT_ARCH.x64 })).toBe(KILL_PROCESS)
  }
})

describe('the tables of numbers', () => {
  const headers = { x64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h', arm64: '/usr/include/asm-generic/unistd.h' }
  test.skipIf(!existsSync(headers.x64) || !existsSync(headers.arm64))(
    'agree with the kernel headers, where they are installed',
    () => {
      for (const architecture of ARCHITECTURES) {
        const header = readFileSync(headers[architecture], 'utf8')
        const defined = new Map(
          [...header.matchAll(/^#define __NR_(\w+)\s+(\d+)/gm)].map(([, name, number]) => [name, Number(number)]),
        )
        for (const [name, numbers] of Object.entries({ ...REFUSED, ...GUARDED })) {
          // A header may be older than a call.
          if (defined.has(name) || numbers[architecture] === null)
            expect(defined.get(name) ?? null, name).toBe(numbers[architecture])
        }
      }
    },
  )
})

test('the bytes are eight an instruction, as struct sock_filter', () => {
  expect(assemble([{ code: 0x15, jt: 1, jf: 2, k: 0xc000003e }])).toEqual(Buffer.from([0x15, 0, 1, 2, 0x3e, 0, 0, 0xc0]))
  expect(() => assemble([])).toThrow(RangeError)
})
