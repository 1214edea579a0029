/** The one door to the library; esbuild.mjs makes a file of its own of it. */
export { CloseAction, ErrorAction, LanguageClient, State, Trace, TransportKind } from 'vscode-languageclient/node'
