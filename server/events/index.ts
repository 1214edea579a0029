/** Live events for readers. */
export { createEvents } from './events.ts'
export type { Events } from './port.ts'
