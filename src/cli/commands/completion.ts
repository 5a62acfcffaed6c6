import { Argument, type Command } from 'commander'

/** Words that may follow, by the words before them: `{"": ["login", …], "sessions": ["list", …]}`. */
type Words = Readonly<Record<string, readonly string[]>>

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print completions for a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', '\nExample:\n  enginex completion bash > ~/.local/share/bash-completion/completions/enginex')
    .action((shell: 'bash' | 'zsh' | 'fish') => {
      process.stdout.write(scripts[shell](wordsOf(program)))
    })
}

function wordsOf(program: Command): Words {
  const words: Record<string, string[]> = { '': program.commands.map((one) => one.name()) }
  for (const command of program.commands) {
    const options = command.options.map((one) => one.long ?? '').filter(Boolean)
    words[command.name()] = [...command.commands.map((one) => one.name()), ...options]
  }
  return words
}

const scripts: Readonly<Record<'bash' | 'zsh' | 'fish', (words: Words) => string>> = {
  bash: (words) => `${functionOf(words)}complete -o default -F _enginex enginex\n`,
  zsh: (words) =>
    `#compdef enginex\nautoload -U +X bashcompinit && bashcompinit\n${functionOf(words)}complete -o default -F _enginex enginex\n`,
  fish: (words) =>
    Object.entries(words)
      .map(([command, follow]) => {
        const when = command === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${command}`
        return `complete -c enginex -n '${when}' ${command === '' ? '-f ' : ''}-a '${follow.join(' ')}'\n`
      })
      .join(''),
}

function functionOf(words: Words): string {
  const cases = Object.entries(words)
    .filter(([command]) => command !== '')
    .map(([command, follow]) => `    ${command}) words='${follow.join(' ')}' ;;`)
  return `_enginex() {
  local words='${(words[''] ?? []).join(' ')}'
  [ "$COMP_CWORD" -gt 1 ] && case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
`
}
