"""Completion scripts for shells, made from the same tables the parser reads.

bash and zsh share four functions of plain `case`: the verbs below a path, its flags, the kind of thing its operands
are, and the names of that kind that there are. Names are asked for only where an engine listens: a Tab starts none.
"""

from __future__ import annotations

import re

from core.cli import verbs
from core.cli.failure import PROGRAM
from core.cli.help import GLOBAL_FLAGS
from core.cli.parser import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_KINDS = {"CONTAINER": "container", "IMAGE": "image", "VOLUME": "volume", "NETWORK": "network"}
_NAMES = {
    "container": "ps -a --format '{{.Names}}'",
    "image": "images --format '{{.Repository}}:{{.Tag}}'",
    "volume": "volume ls -q",
    "network": "network ls --format '{{.Name}}'",
}


def commands() -> dict[str, Command]:
    """Every command by the words that call it."""
    found = {name: verbs.load(name) for name in verbs.VERBS}
    for group, (_, table) in verbs.GROUPS.items():
        found |= {f"{group} {name}": verbs.load(where) for name, where in table.items()}
    return found


def kind(command: Command) -> str:
    """What the operands of a command are names of: container, image, volume, network; "" = anything."""
    first = re.match(r"\W*(?:SOURCE_)?([A-Z]+)", command.usage)
    return _KINDS.get(first[1], "") if first else ""


def _below() -> dict[str, list[tuple[str, str]]]:
    """The words that may come next, each with its summary, by those before."""
    every = commands()
    top = [(name, every[name].summary) for name in verbs.VERBS]
    top += [(group, summary) for group, (summary, _) in verbs.GROUPS.items()]
    return {"": sorted(top)} | {
        group: [(name, every[f"{group} {name}"].summary) for name in sorted(table)]
        for group, (_, table) in verbs.GROUPS.items()
    }


def _spelled(flags: Iterable[Flag]) -> list[str]:
    return [word for flag in flags for word in (f"--{flag.name}", f"-{flag.short}" if flag.short else "") if word]


def _case(name: str, arms: Iterable[tuple[str, str]]) -> str:
    """A shell function that prints what belongs to its first argument."""
    lines = [f"    '{path}') {body} ;;" for path, body in arms]
    return "\n".join([f"_{PROGRAM}_{name}() {{", '    case "$1" in', *lines, "    esac", "}"])


def _words(words: Iterable[str]) -> str:
    return "printf '%s\\n' " + " ".join(_quoted(word) for word in words)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _shared() -> str:
    every = commands()
    flags = {"": GLOBAL_FLAGS, **{path: command.flags for path, command in every.items()}}
    valued = {path: [flag for flag in found if not flag.is_switch] for path, found in flags.items()}
    names = [(kind, f"{PROGRAM} {ask}") for kind, ask in _NAMES.items()]
    return "\n\n".join(
        [
            _case(
                "verbs",
                ((path, _words(f"{word}:{text}" for word, text in below)) for path, below in _below().items()),
            ),
            _case("flags", ((path, _words([*_spelled(found), "--help"])) for path, found in flags.items())),
            _case("valued", ((path, _words(_spelled(found))) for path, found in valued.items() if found)),
            _case("kind", ((path, f"echo {kind(command)}") for path, command in every.items() if kind(command))),
            _case("names", names),
            _LISTENS,
        ]
    )


_LISTENS = """_onggi_known() {
    [ -n "$ONGGI_HOST" ] || [ -S "${ONGGI_RUN:-/run/onggi}/engine.sock" ] || return 0
    _onggi_names "$1" 2>/dev/null
}

# The words of the command, and whether the last of them wants a value, from the words before the cursor.
_onggi_path() {
    at='' value='' operands=0
    while [ $# -gt 0 ]; do
        if [ -n "$value" ]; then value=''; shift; continue; fi
        case "$1" in
            -*=*) ;;
            -*) _onggi_valued "$at" | grep -qxe "$1" && value=$1 ;;
            *)
                if _onggi_verbs "$at" | grep -q "^$1:"; then at="${at:+$at }$1"
                else operands=$((operands + 1)); fi ;;
        esac
        shift
    done
}"""

_BASH = """# Completion of onggi for bash, made by `onggi completion bash`.

@shared@

_onggi() {
    local current=${COMP_WORDS[COMP_CWORD]} at value operands IFS=$'\\n'
    _onggi_path "${COMP_WORDS[@]:1:COMP_CWORD-1}"
    COMPREPLY=()
    if [ -n "$value" ]; then return; fi
    if [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$(_onggi_flags "$at")" -- "$current"))
    elif [ "$operands" = 0 ] && [ -n "$(_onggi_verbs "$at")" ]; then
        COMPREPLY=($(compgen -W "$(_onggi_verbs "$at" | cut -d: -f1)" -- "$current"))
    else
        COMPREPLY=($(compgen -W "$(_onggi_known "$(_onggi_kind "$at")")" -- "$current"))
    fi
}

complete -o default -F _onggi onggi
"""

_ZSH = """#compdef onggi
# Completion of onggi for zsh, made by `onggi completion zsh`.

@shared@

_onggi() {
    local at value operands
    local -a found
    _onggi_path "${(@)words[2,CURRENT-1]}"
    if [[ -n $value ]]; then _files; return; fi
    if [[ $words[CURRENT] == -* ]]; then
        compadd -- ${(f)"$(_onggi_flags "$at")"}
    elif [[ $operands == 0 && -n "$(_onggi_verbs "$at")" ]]; then
        found=(${(f)"$(_onggi_verbs "$at")"})
        _describe 'onggi command' found
    else
        found=(${(f)"$(_onggi_known "$(_onggi_kind "$at")")"})
        if (( $#found )); then compadd -- $found; else _files; fi
    fi
}

if [ "$funcstack[1]" = "_onggi" ]; then _onggi "$@"; else compdef _onggi onggi; fi
"""

_FISH = """# Completion of onggi for fish, made by `onggi completion fish`.

function __onggi_words
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case -H --host
                set skip 1
            case '-*'
            case '*'
                echo $word
        end
    end
end

function __onggi_at
    set -l path (string join ' ' (__onggi_words))
    set path "$path"
    string match -q -- "$argv[1]" $path; or string match -q -- "$argv[1] *" $path
end

function __onggi_first
    test (count (__onggi_words)) -eq $argv[2]; and __onggi_at $argv[1]
end

function __onggi_known
    test -n "$ONGGI_HOST"; or test -S (test -n "$ONGGI_RUN"; and echo $ONGGI_RUN; or echo /run/onggi)/engine.sock
    and onggi $argv 2>/dev/null
end

@lines@
"""


def bash() -> str:
    """For `source <(onggi completion bash)`, or a file that bash-completion finds."""
    return _BASH.replace("@shared@", _shared())


def zsh() -> str:
    """For a file `_onggi` in a folder of `fpath`."""
    return _ZSH.replace("@shared@", _shared())


def fish() -> str:
    """For ~/.config/fish/completions/onggi.fish."""
    lines = []
    for path, below in _below().items():
        depth = len(path.split())
        lines += [
            f"complete -c {PROGRAM} -f -n \"__{PROGRAM}_first '{path}' {depth}\" -a {word} -d {_fish(text)}"
            for word, text in below
        ]
    lines += [_fish_flag("", flag) for flag in GLOBAL_FLAGS]
    for path, command in commands().items():
        lines += [_fish_flag(path, flag) for flag in command.flags]
        names = _NAMES.get(kind(command))
        if names:
            asked = _fish(f"(__{PROGRAM}_known {names})")
            lines.append(f"complete -c {PROGRAM} -f -n \"__{PROGRAM}_at '{path}'\" -a {asked}")
    return _FISH.replace("@lines@", "\n".join(lines))


def _fish_flag(path: str, flag: Flag) -> str:
    short = f" -s {flag.short}" if flag.short else ""
    value = "" if flag.is_switch else " -r"
    where = f" -n \"__{PROGRAM}_at '{path}'\"" if path else f" -n \"__{PROGRAM}_first '' 0\""
    return f"complete -c {PROGRAM}{where} -l {flag.name}{short}{value} -d {_fish(flag.help)}"


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS: dict[str, Callable[[], str]] = {"bash": bash, "fish": fish, "zsh": zsh}
