import * as fc from 'fast-check'

/** Pieces that mean something to the parser, so that random texts are about what it does. */
export const anyPiece = fc.constantFrom(
  '\n',
  '\r\n',
  '\r',
  '---',
  '```',
  '~~~~',
  '<!--',
  '-->',
  '> ',
  '    ',
  '\t',
  '# ',
  '## Phase 1: Setup',
  '- [ ] T001 ',
  '- [x] T002 [P] [US1] ',
  '* [X] CHK001 ',
  '- **FR-001**: ',
  '| SC-001 | ',
  '[NEEDS CLARIFICATION: why',
  ']',
  '`',
  'src/a.ts',
  'depends on T001-T003',
  'ユーザー',
  '\uFEFF',
  '\uD800',
  '😀',
  'name: value',
  'User Story 1',
  '=',
  ' ',
  'x',
)
/** Any text, mostly made of such pieces. */
export const anyText = fc.oneof(
  fc.array(fc.oneof(anyPiece, fc.string({ unit: 'binary', maxLength: 8 })), { maxLength: 40 }).map(parts => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 200 }),
)
