/** The only way out of a sandbox. */
export { isPrivateEntry } from './allow-list.ts'
export { answerCalls } from './answer-calls.ts'
export { type AnswerPiece, type CallQueue, createCallQueue, type KnownCalls } from './call-queue.ts'
export { createGateway } from './gateway.ts'
export type { Gateway } from './port.ts'
export { preferModels } from './prefer-models.ts'
