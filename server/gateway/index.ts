/** The only way out of a sandbox. */
export { createGateway } from './gateway.ts'
export type { Gateway } from './port.ts'
