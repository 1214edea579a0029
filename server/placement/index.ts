/** Which node and which executor, and why. Pure: decides from what it is given. */
export { type Candidate, place } from './executor.ts'
export { infeasible } from './feasible.ts'
export { modelSide } from './model-side.ts'
export { describePolicy, type PolicyFacts, policy, type Verdict } from './policy.ts'
export { createReservations, type Reservations } from './reservations.ts'
export { sample } from './sample.ts'
export { best, score } from './score.ts'
