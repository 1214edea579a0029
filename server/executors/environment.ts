/** What every program finds set, besides what the job gives it. */
export function environment(places: { path: string; home: string; tmp: string }): Record<string, string> {
  return { PATH: places.path, HOME: places.home, TMPDIR: places.tmp, LANG: 'C.UTF-8' }
}

/**
 * Points programs at the relay, in the spellings in use: curl reads the lower case ones, most others the upper case, and Node's
 * own fetch needs to be told to look at all.
 */
export function proxyEnvironment(relayUrl: string): Record<string, string> {
  const direct = '127.0.0.1,localhost'
  return {
    HTTP_PROXY: relayUrl,
    HTTPS_PROXY: relayUrl,
    ALL_PROXY: relayUrl,
    NO_PROXY: direct,
    http_proxy: relayUrl,
    https_proxy: relayUrl,
    all_proxy: relayUrl,
    no_proxy: direct,
    NODE_USE_ENV_PROXY: '1',
  }
}
