/** Lines of {@link longTasks}. */
export const LINES = 10_000

/** A long tasks.md: tasks with files and dependencies, and what stands between them. */
export const longTasks = (lines: number = LINES): string =>
  Array.from({ length: lines }, (_, index) => {
    const id = (number: number): string => `T${String(number).padStart(5, '0')}`
    if (index % 100 === 0) return `## Phase ${index / 100 + 1}: part of it`
    if (index % 10 === 0) return '[NEEDS CLARIFICATION: which?]'
    return `- [ ] ${id(index)} [P] [US1] Do it in src/part-${index}/file.ts for FR-001 (depends on ${id(Math.max(1, index - 5 - (index % 10 === 5 ? 1 : 0)))})`
  }).join('\n')

/** The spec.md beside it. */
export const SPEC = '# Spec\n\n### User Story 1 - One (Priority: P1)\n\n- **FR-001**: one\n'
