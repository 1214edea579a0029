/** `dist/webviews/manifest.json`: names of the files that a page begins with, each with a hash of its content. */
export interface PageManifest {
  readonly script: string
  readonly style: string
}

export interface DocumentOptions {
  /** Fresh for every document: 128 random bits or more, in base64 or base64url. */
  readonly nonce: string
  /** Addresses of what the manifest names. */
  readonly script: string
  readonly style: string
  /** Address of its icon, where there is a tab of a browser to show it. */
  readonly icon?: string
  readonly language: string
  readonly title: string
  /** From where a page may load its styles: in VS Code `webview.cspSource`, else `'self'`. */
  readonly source: string
  /** Whether the page talks to a server of its own origin, instead of by messages. */
  readonly connects: boolean
}

/** What a page may do, as a Content-Security-Policy: run the scripts this node shipped, and nothing else. */
export function pagePolicy({ nonce, source, connects }: Pick<DocumentOptions, 'nonce' | 'source' | 'connects'>): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${source}`,
    ...(connects ? ["connect-src 'self'", "img-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/**
 * The document of every page, for both hosts. What a page shows it is told later: nothing of a person's is in here.
 * @throws {Error} when the nonce is none.
 */
export function pageDocument(options: DocumentOptions): string {
  const { nonce, script, style, icon, language, title } = options
  if (!/^[\w+/-]{16,}={0,2}$/.test(nonce)) throw new Error('A nonce is at least 16 characters of base64')
  return `<!DOCTYPE html>
<html lang="${escaped(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${escaped(pagePolicy(options))}">
<title>${escaped(title)}</title>
${icon === undefined ? '' : `<link rel="icon" type="image/svg+xml" href="${escaped(icon)}">\n`}<link rel="stylesheet" href="${escaped(style)}">
<script type="module" nonce="${nonce}" src="${escaped(script)}"></script>
</head>
<body>
<skein-app></skein-app>
<noscript>This page needs JavaScript.</noscript>
</body>
</html>
`
}
