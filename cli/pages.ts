/** Pages of a list, one after another to the last; each is asked for when the one before was taken. */
export async function* pagesOf<P extends { readonly nextCursor: string | null }>(
  ask: (from: { readonly cursor?: string }) => Promise<P>,
): AsyncGenerator<P, void> {
  for (let from: { readonly cursor?: string } = {}; ; ) {
    const page = await ask(from)
    yield page
    if (page.nextCursor === null) return
    from = { cursor: page.nextCursor }
  }
}
