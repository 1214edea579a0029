import type { Command } from 'commander'

type Shell = 'bash' | 'zsh' | 'fish'

interface Entry {
  readonly name: string
  readonly description: string
  readonly flags: readonly { long: string; description: string }[]
}

/** Commands whose first argument is a job. */
const TAKES_JOB = ['logs', 'diff', 'apply', 'cancel', 'retry', 'answer', 'events']
/** Prints ids of recent jobs, or nothing where no server runs. */
const JOB_IDS = `skein jobs -n 50 2>/dev/null | awk 'NR > 1 { print $1 }'`

/** A completion script made from the commands themselves, so that it knows every one of them. */
export function completion(shell: Shell, program: Command): string {
  const entries = program.commands.map((command): Entry => {
    const help = command.createHelp()
    const flags = help.visibleOptions(command).flatMap(({ long, description }) => (long ? [{ long, description }] : []))
    return { name: command.name(), description: command.description(), flags }
  })
  return { bash, zsh, fish }[shell](entries)
}

/** Inside single quotes of every one of the three shells. */
const quoted = (text: string): string => `'${text.replaceAll("'", '’')}'`

const bash = (entries: readonly Entry[]): string => `# Put into ~/.bashrc:  source <(skein completion bash)
_skein() {
  local word=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]} words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    words=${quoted(entries.map(({ name }) => name).join(' '))}
  else
    case "$command $word" in
${entries.map(({ name, flags }) => `      ${quoted(`${name} -`)}*) words=${quoted(flags.map(({ long }) => long).join(' '))} ;;`).join('\n')}
${TAKES_JOB.map(name => `      ${quoted(`${name} `)}*) words=$(${JOB_IDS}) ;;`).join('\n')}
      'completion '*) words='bash zsh fish' ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _skein skein
`

const zsh = (entries: readonly Entry[]): string => `#compdef skein
# Put into ~/.zshrc, after compinit:  source <(skein completion zsh)
_skein() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${entries.map(({ name, description }) => `      ${quoted(`${name}:${description}`)}`).join('\n')}
    )
    _describe command commands
  elif [[ $words[CURRENT] == -* ]]; then
    local -a flags=()
    case $words[2] in
${entries.map(({ name, flags }) => `      ${name}) flags=(${flags.map(({ long, description }) => quoted(`${long}:${description}`)).join(' ')}) ;;`).join('\n')}
    esac
    _describe option flags
  else
    case $words[2] in
      ${TAKES_JOB.join('|')}) compadd -- \${(f)"$(${JOB_IDS})"} ;;
      completion) compadd bash zsh fish ;;
      *) _files ;;
    esac
  fi
}
compdef _skein skein
`

const fish = (entries: readonly Entry[]): string => `# Put into ~/.config/fish/completions/skein.fish
complete -c skein -n __fish_use_subcommand -f
${entries
  .flatMap(({ name, description, flags }) => [
    `complete -c skein -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
    ...flags.map(
      flag =>
        `complete -c skein -n '__fish_seen_subcommand_from ${name}' -l ${flag.long.slice(2)} -d ${quoted(flag.description)}`,
    ),
  ])
  .join('\n')}
complete -c skein -n '__fish_seen_subcommand_from ${TAKES_JOB.join(' ')}' -f -a ${quoted(`(${JOB_IDS.replaceAll("'", '"')})`)}
complete -c skein -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'
`
