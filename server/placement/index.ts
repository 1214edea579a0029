/** Which node and which executor, and why. Pure: decides from what it is given. */
export { type Candidate, type Placement, place } from './executor.ts'
export { infeasible } from './feasible.ts'
export { createReservations, type Reservations } from './reservations.ts'
export { type Chosen, MOST_ASKED, sample } from './sample.ts'
export { best, type Score, score } from './score.ts'
