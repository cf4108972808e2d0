#!/usr/bin/zsh -f
# Types a line and a tab into a zsh that knows one completion, and prints the line that becomes of it.
# usage: complete.zsh FOLDER-OF-THE-COMPLETION LINE
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= PS2= RPS1= fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; bindkey -e; unsetopt zle_bracketed_paste; print re''ady"
zpty -r shell text '*ready*'
zpty -n -w shell "$2"$'\t\x01print -r -- line: \n'
zpty -r shell text $'*\nline: *\n*'
print -r -- "${${text##*$'\n'line: }%%$'\r'*}"
zpty -d shell
