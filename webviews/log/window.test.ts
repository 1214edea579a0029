import fc from 'fast-check'
import { expect, it } from 'vitest'
import { scrollTo, windowOf } from './window.ts'

const viewport = fc.record({
  height: fc.integer({ min: 20, max: 4000 }),
  rowHeight: fc.integer({ min: 10, max: 40 }),
  count: fc.nat(20_000_000),
})

it('draws what is seen and little more, wherever it is scrolled to', () => {
  fc.assert(
    fc.property(viewport, fc.double({ min: 0, max: 1, noNaN: true }), (shape, share) => {
      const { total } = windowOf({ ...shape, scrollTop: 0 })
      const scrollTop = share * Math.max(0, total - shape.height)
      const { first, end, top } = windowOf({ ...shape, scrollTop })
      expect(end - first).toBeLessThanOrEqual(Math.ceil(shape.height / shape.rowHeight) + 18)
      if (shape.count === 0) return
      expect(top).toBeLessThanOrEqual(scrollTop + 1)
      const bottom = top + (end - first) * shape.rowHeight
      expect(bottom).toBeGreaterThanOrEqual(Math.min(scrollTop + shape.height, total) - 1)
    }),
  )
})

it('reaches the first and the last row, however many there are', () => {
  for (const count of [1, 100, 1_000_000, 50_000_000]) {
    const shape = { height: 600, rowHeight: 18, count }
    expect(windowOf({ ...shape, scrollTop: 0 }).first).toBe(0)
    expect(windowOf({ ...shape, scrollTop: Number.MAX_SAFE_INTEGER }).end).toBe(count)
    expect(windowOf({ ...shape, scrollTop: 0 }).total).toBeLessThanOrEqual(16_000_000)
  }
})

it('scrolls to any row', () => {
  fc.assert(
    fc.property(viewport, fc.double({ min: 0, max: 0.999, noNaN: true }), (shape, share) => {
      fc.pre(shape.count > 0)
      const row = Math.floor(share * shape.count)
      const { first, end } = windowOf({ ...shape, scrollTop: scrollTo(row, shape) })
      expect(row).toBeGreaterThanOrEqual(first)
      expect(row).toBeLessThan(end)
    }),
  )
})
