/** What the tests inside the host and those who start them agree on. */
export const VENDOR = 'probe'
export const TASK = 'Shout'
export const FILES = {
  'one.txt': `one\n${'line\n'.repeat(20)}end\n`,
  'three.txt': 'three\n',
  'specs/001-login/tasks.md': '# Tasks\n\n- [ ] T001 Begin\n',
}
/** Changes the first line of two files, and makes another. */
export const SCRIPT = "sed -i '1s/.*/\\U&/' one.txt three.txt; echo two > two.txt"
/** Environment of the host. */
export const REPORT = 'SKEIN_HOST_REPORT'
export const DATA_DIR = 'SKEIN_HOST_DATA_DIR'
/** A repository with the same files that is not open. */
export const ELSEWHERE = 'SKEIN_HOST_ELSEWHERE'

/** What became of each test: null, or why it failed. */
export type Report = Readonly<Record<string, string | null>>
