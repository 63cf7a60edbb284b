// SPDX-License-Identifier: GPL-2.0-or-later
// Completions for bash, zsh and fish, from the option tables: static text, so that a TAB starts no program.
import { allOptions, dashed, namesOf, takesValue } from './common';
import type { CommandSpec, Completes, OptionSpec } from './spec';

function lead(spec: CommandSpec, shell: string): string {
  return `# SPDX-License-Identifier: GPL-2.0-or-later\n# ${shell} completion for ${spec.name}(8), made from its option table; changes here are lost.\n`;
}

export function bashCompletion(spec: CommandSpec): string {
  const name = `_${spec.name.replace(/-/g, '_')}`;
  const options = allOptions(spec);
  const words = options.flatMap((option) => namesOf(option).map(dashed));
  const cases = options.filter(takesValue).map((option) => {
    const names = namesOf(option).map(dashed).join('|');
    return `    ${names})\n      ${bashValues(option.completes ?? 'none', option.choices)}\n      return\n      ;;\n`;
  });
  const operand = spec.operands.at(-1)?.completes ?? 'none';
  return `${lead(spec, 'bash')}${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} word
  COMPREPLY=()
  # bash splits --option=value into three words.
  if [[ $cur == '=' ]]; then
    cur=
  elif [[ $prev == '=' ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $prev in
${cases.join('')}  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -- ]] && cur=./$cur && break
  done
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '${words.join(' ')}' -- "$cur")
    return
  fi
  ${bashValues(operand, undefined)}
}
complete -F ${name} ${spec.name}
`;
}

function bashValues(completes: Completes, choices: readonly string[] | undefined): string {
  if (choices) return `mapfile -t COMPREPLY < <(compgen -W '${choices.join(' ')}' -- "$cur")`;
  if (completes === 'none') return ':';
  const kind = completes === 'directory' ? '-d' : '-f';
  return `compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen ${kind} -- "$cur")`;
}

export function zshCompletion(spec: CommandSpec): string {
  const exclusive = spec.exclusive ?? [];
  const options = allOptions(spec);
  const byName = new Map(options.map((option) => [option.name, option]));
  const lines = options.flatMap((option) => {
    const others = exclusive.filter((set) => set.includes(option.name)).flat();
    const names = (name: string): readonly string[] => namesOf(byName.get(name) ?? option).map(dashed);
    const repeats = option.kind === 'list' || option.kind === 'count';
    const blocked = [...new Set([...(repeats ? [] : names(option.name)), ...others.flatMap(names)])];
    const prefix = repeats ? '*' : '';
    return namesOf(option).map((name) => {
      const separator = !takesValue(option) ? '' : name.length === 1 ? '+' : '=';
      const values = Array.from({ length: option.kind === 'pair' ? 2 : takesValue(option) ? 1 : 0 }, () => {
        return `:${zshText(option.value ?? '')}:${zshValues(option.completes ?? 'none', option.choices)}`;
      });
      const block = blocked.length > 0 ? `(${blocked.join(' ')})` : '';
      return `'${block}${prefix}${dashed(name)}${separator}[${zshText(firstSentence(option))}]${values.join('')}'`;
    });
  });
  const operands = spec.operands.map((operand, i) => {
    const place = operand.max === 1 ? String(i + 1) : '*';
    return `'${place}:${zshText(operand.name)}:${zshValues(operand.completes, undefined)}'`;
  });
  return `#compdef ${spec.name}\n${lead(spec, 'zsh')}\n_arguments -s -S \\\n  ${[...lines, ...operands].join(' \\\n  ')}\n`;
}

function zshValues(completes: Completes, choices: readonly string[] | undefined): string {
  if (choices) return `(${choices.join(' ')})`;
  if (completes === 'none') return ' ';
  return completes === 'directory' ? '_files -/' : '_files';
}

/** Inside a specification in single quotes. */
function zshText(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&').replace(/'/g, "'\\''");
}

export function fishCompletion(spec: CommandSpec): string {
  const lines = allOptions(spec).map((option) => {
    const names = namesOf(option).map((name) => `${name.length === 1 ? '-s' : '-l'} ${name}`);
    return `complete -c ${spec.name} ${names.join(' ')}${fishValues(option)} -d '${fishText(firstSentence(option))}'\n`;
  });
  return `${lead(spec, 'fish')}${lines.join('')}`;
}

function fishValues(option: OptionSpec): string {
  if (!takesValue(option)) return '';
  if (option.choices) return ` -x -a '${option.choices.join(' ')}'`;
  if (option.completes === 'directory') return " -x -a '(__fish_complete_directories)'";
  return (option.completes ?? 'none') === 'none' ? ' -x' : ' -r';
}

function fishText(text: string): string {
  return text.replace(/[\\']/g, '\\$&');
}

/** Without its full stop. */
function firstSentence(option: OptionSpec): string {
  return (/^.*?(?=\.(?:\s|$))/s.exec(option.help)?.[0] ?? option.help).replace(/\s+/g, ' ');
}
