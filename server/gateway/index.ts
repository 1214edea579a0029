/** The only way out of a sandbox. */
export { createGateway } from './gateway.ts'
export type { Gateway, GatewaySpec, OpenGateway } from './port.ts'
