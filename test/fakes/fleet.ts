import type { Fleet } from '#server/peers/index.ts'

/** A node that knows no other. */
export const alone: Fleet = {
  self: { id: 'a'.repeat(26), name: 'alone' },
  cards: () => [],
  unheard: () => [],
  accepts: () => false,
  who: id => ({ id, name: id, user: null, tags: [] }),
  trust: () => 'granted',
  link: () => null,
  onChange: () => () => {},
}
