import ts from 'typescript'

/** What a source file says to a person: texts that are translated when it runs. */
export interface Spoken {
  readonly texts: readonly string[]
  /** Lines, from 1, of texts that are not written out and so cannot be translated. */
  readonly unknown: readonly number[]
}

/** Finds the first arguments of `t(…)` and `l10n.t(…)`. */
export function spokenTexts(source: string, name = 'source.ts'): Spoken {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, false)
  const texts: string[] = []
  const unknown: number[] = []
  function walk(node: ts.Node): void {
    if (ts.isCallExpression(node) && isTranslation(node.expression)) {
      const [text] = node.arguments
      if (text && ts.isStringLiteralLike(text)) texts.push(text.text)
      else unknown.push(file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1)
    }
    ts.forEachChild(node, walk)
  }
  walk(file)
  return { texts, unknown }
}

function isTranslation(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return callee.text === 't'
  return ts.isPropertyAccessExpression(callee) && callee.name.text === 't'
}

/** `bundle.l10n.json` as translators take it: every text once, as its own translation. */
export const bundleOf = (texts: Iterable<string>): Record<string, string> =>
  Object.fromEntries([...new Set(texts)].sort().map(text => [text, text]))
