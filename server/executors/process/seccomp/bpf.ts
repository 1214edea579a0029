import { endianness } from 'node:os'

/**
 * An assembler for the part of classic BPF that a seccomp filter needs.
 * Format: struct sock_filter { u16 code; u8 jt; u8 jf; u32 k } of <linux/filter.h>; input: struct seccomp_data of
 * <linux/seccomp.h>. See https://docs.kernel.org/userspace-api/seccomp_filter.html.
 */
export interface Instruction {
  readonly code: number
  /** Instructions to skip when the comparison holds, and when it does not; 0 to 255. */
  readonly jt: number
  readonly jf: number
  readonly k: number
}

/** Opcodes of <linux/bpf_common.h>: class | size or operation | mode or source. */
export const LOAD = 0x20 // BPF_LD | BPF_W | BPF_ABS
export const AND = 0x54 // BPF_ALU | BPF_AND | BPF_K
export const JUMP_EQUAL = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
export const JUMP_GREATER_OR_EQUAL = 0x35 // BPF_JMP | BPF_JGE | BPF_K
export const RETURN = 0x06 // BPF_RET | BPF_K

/** Where the words of struct seccomp_data stand. An argument is 64 bits wide; only its low half is ever looked at here. */
export const NUMBER_OFFSET = 0
export const ARCH_OFFSET = 4
export const argumentOffset = (index: number) => 16 + 8 * index

/** BPF_MAXINSNS of <linux/bpf_common.h>. */
const LONGEST_PROGRAM = 4096

export const load = (offset: number): Instruction => ({ code: LOAD, jt: 0, jf: 0, k: offset })
export const and = (mask: number): Instruction => ({ code: AND, jt: 0, jf: 0, k: mask >>> 0 })
export const answer = (action: number): Instruction => ({ code: RETURN, jt: 0, jf: 0, k: action >>> 0 })

/** Runs `block` only if the accumulator equals `value`. */
export function ifEqual(value: number, block: readonly Instruction[]): Instruction[] {
  return [{ code: JUMP_EQUAL, jt: 0, jf: skip(block), k: value >>> 0 }, ...block]
}

/** Runs `block` unless the accumulator equals `value`. */
export function unlessEqual(value: number, block: readonly Instruction[]): Instruction[] {
  return [{ code: JUMP_EQUAL, jt: skip(block), jf: 0, k: value >>> 0 }, ...block]
}

/** Runs `block` only if the accumulator is `value` or more. */
export function ifAtLeast(value: number, block: readonly Instruction[]): Instruction[] {
  return [{ code: JUMP_GREATER_OR_EQUAL, jt: 0, jf: skip(block), k: value >>> 0 }, ...block]
}

function skip(block: readonly Instruction[]): number {
  if (block.length > 255) throw new RangeError(`A BPF jump skips at most 255 instructions, not ${block.length}`)
  return block.length
}

/** The program as the kernel reads it: eight bytes an instruction, in this machine's byte order. */
export function assemble(program: readonly Instruction[]): Buffer {
  if (program.length === 0 || program.length > LONGEST_PROGRAM)
    throw new RangeError(`A BPF program has 1 to ${LONGEST_PROGRAM} instructions`)
  const little = endianness() === 'LE'
  const bytes = Buffer.alloc(program.length * 8)
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    const at = index * 8
    if (little) bytes.writeUInt16LE(code, at)
    else bytes.writeUInt16BE(code, at)
    bytes.writeUInt8(jt, at + 2)
    bytes.writeUInt8(jf, at + 3)
    if (little) bytes.writeUInt32LE(k, at + 4)
    else bytes.writeUInt32BE(k, at + 4)
  }
  return bytes
}
