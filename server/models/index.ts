/** Which model answers, and where it comes from. */
export { createModels } from './models.ts'
export type { ModelCall, ModelOffers, ModelProvider, Models, ModelUse } from './port.ts'
