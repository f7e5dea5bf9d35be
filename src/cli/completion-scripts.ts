/** Shell code that asks `kvctl complete` at each Tab, so that names which exist now are what is offered. */
export const COMPLETION_SCRIPTS = {
  bash: `_kvctl() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -o bashdefault -F _kvctl kvctl
`,
  zsh: `#compdef kvctl
_kvctl() {
  local -a lines candidates
  local line
  lines=("\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in $lines; do
    candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( \${#candidates} )); then _describe kvctl candidates; else _files; fi
}
compdef _kvctl kvctl
`,
} as const
