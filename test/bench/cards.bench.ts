import type { CardSeal } from '#server/peers/card-seal.ts'
import { defineBench, type SideContext } from './bench.ts'
import { writeFleet } from './cards-fleet.ts'
import { runNode } from './cards-node.ts'
import { spin } from './workload.ts'

const MANY = 1_000
const FEW = 3

const cpu = async (context: SideContext, count: number, wrap?: (seal: CardSeal) => CardSeal): Promise<number> =>
  (await runNode(context, count, wrap)).cpuMs

const held = async (context: SideContext, count: number, wrap?: (seal: CardSeal) => CardSeal): Promise<number> =>
  (await runNode(context, count, wrap)).heldMiB

const slowed = (seal: CardSeal): CardSeal => ({
  ...seal,
  open(jws, key) {
    spin(500)
    return seal.open(jws, key)
  },
})

/** Keeps every card that ever came, with its text. */
function hoarding(seal: CardSeal): CardSeal {
  const kept: object[] = []
  return {
    ...seal,
    async open(jws, key) {
      const open = await seal.open(jws, key)
      kept.push(open)
      return open
    },
  }
}

const writeFleets = async (fixture: string): Promise<void> => {
  for (const count of [MANY, FEW, 0]) await writeFleet(fixture, count)
}

export default defineBench(
  {
    name: 'cards-memory',
    unit: 'MiB',
    compare: 'difference',
    prepare: writeFleets,
    a: {
      what: 'memory that a node holds that knows 1,000 others, after 6 minutes of gossip',
      run: context => held(context, MANY),
    },
    b: { what: 'the same of one that knows nobody', run: context => held(context, 0) },
    planted: { what: 'every card that ever came is kept', run: context => held(context, MANY, hoarding) },
    bar: { atMost: 16 },
    note:
      'Both after a full collection. Cards of 3,000 characters signed, kept as text and read; besides them the list of peers and the ' +
      'library that checks signatures, which a node alone does not load. The bar is 16 KiB a node.',
  },
  {
    name: 'cards-at-rest',
    unit: 'ms/s',
    compare: 'difference',
    prepare: writeFleets,
    a: { what: 'CPU time a second of a node at rest that knows 1,000 others', run: context => cpu(context, MANY) },
    b: { what: 'the same of one that knows 3', run: context => cpu(context, FEW) },
    planted: { what: '500 µs more a card', run: context => cpu(context, MANY, slowed) },
    bar: { atMost: 10 },
    note:
      'The bar is a hundredth of a core. Four minutes of a virtual clock: all 1,000 sign a card every 60 s, and each is checked and ' +
      'read. The others are another process that has every card at once; messages go to it as JSON, without HTTP and without the ' +
      'signature of a request. Their number is as small for 1,000 as for 3 (server/peers/gossip.test.ts).',
  },
)
