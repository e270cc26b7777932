"""The completion scripts of bash, zsh and fish, made from the grammar. Pure: text from data.

bash and zsh share their tables, as both read `case`. No name that a daemon gives is ever expanded by the shell: a name
is compared and put into the answer, never into a word list that the shell would evaluate.
"""

from __future__ import annotations

from collections.abc import Iterator
from string import Template

from watcher.cli.grammar import Kind, Option, Verb

_REACH = ("--config", "--state-dir", "--socket")
"""Options that say where the daemon is: the question for names is asked with them."""


def script(shell: str, grammar: Verb) -> str:
    """The script for one of the three shells."""
    if shell == "fish":
        return _fish(grammar)
    return Template(_BASH if shell == "bash" else _ZSH).substitute(tables=_tables(grammar), reach="|".join(_REACH))


def _tables(grammar: Verb) -> str:
    """Functions that answer by setting a variable: for bash and zsh."""
    verbs, options, values, arguments = [], [], [], []
    for verb in grammar.walk():
        path = " ".join(verb.path)
        if verb.verbs:
            verbs.append(_case(path, "found", [_described(one.path[-1], one.help) for one in verb.verbs]))
        options.append(_case(path, "found", [_described(flag, one.help) for one in verb.options for flag in one.flags]))
        values += [
            _case(f"{path} {flag}", "kind", [one.kind, *one.words])
            for one in verb.options
            if one.value
            for flag in one.flags
        ]
        for place, argument in enumerate(verb.arguments):
            pattern = f"{path} {place}"
            arguments.append(_case(pattern, "kind", [argument.kind, *argument.words], open_ended=argument.many))
    parts = {"verbs": verbs, "options": options, "value": values, "argument": arguments}
    return "\n".join(_function(f"_watcher_{name}", cases) for name, cases in parts.items())


def _function(name: str, cases: list[str]) -> str:
    return "\n".join([f"{name}() {{", '    case "$1" in', *cases, "        *) return 1 ;;", "    esac", "}", ""])


def _case(pattern: str, variable: str, words: list[str], *, open_ended: bool = False) -> str:
    if open_ended:  # the place and all after it
        stem, _, place = pattern.rpartition(" ")
        shown = f"{_quoted(stem)}' '[{place}-9]"
    else:
        shown = _quoted(pattern)
    return f"        {shown}) {variable}=({' '.join(map(_quoted, words))}) ;;"


def _described(name: str, words: str) -> str:
    """As zsh's `_describe` takes it; bash cuts the description off."""
    return f"{name}:{words}" if words else name


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_BASH = """\
# bash completion for watcher; made by `watcher completion bash`
$tables
_watcher() {
    local cur=$${COMP_WORDS[COMP_CWORD]} verb=watcher word after='' name
    local -i at place=0
    local -a found=() kind=() reach=() names=()
    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=$${COMP_WORDS[at]}
        if [[ $$word == -- ]]; then
            compopt -o default 2>/dev/null
            return
        elif [[ $$word == -* ]]; then
            if _watcher_value "$$verb $$word"; then
                case $$word in $reach) reach+=("$$word" "$${COMP_WORDS[at + 1]}") ;; esac
                at+=1
                if ((at == COMP_CWORD)); then after=$$word; fi
            fi
        elif _watcher_options "$$verb $$word"; then
            verb+=" $$word"
            place=0
        else
            place+=1
        fi
    done
    found=() kind=()
    if [[ -n $$after ]]; then
        _watcher_value "$$verb $$after"
    elif [[ $$cur == -* ]]; then
        _watcher_options "$$verb"
    elif ! _watcher_verbs "$$verb"; then
        _watcher_argument "$$verb $$place"
    fi
    case $${kind[0]-} in
        words) names=("$${kind[@]:1}") ;;
        jobs | releases | units | packs | rules)
            while IFS= read -r name; do
                names+=("$$name")
            done < <("$$1" completion --names "$${kind[0]}" "$${reach[@]}" 2>/dev/null)
            ;;
        files) compopt -o default 2>/dev/null ;;
        folders) compopt -o dirnames 2>/dev/null ;;
        *) names=("$${found[@]%%:*}") ;;
    esac
    for name in "$${names[@]}"; do
        if [[ $$name == "$$cur"* ]]; then COMPREPLY+=("$$name"); fi
    done
}
complete -F _watcher watcher
"""

_ZSH = """\
#compdef watcher
# zsh completion for watcher; made by `watcher completion zsh`
$tables
_watcher() {
    local verb=watcher word after='' name
    local -i at place=0
    local -a found kind reach
    for ((at = 2; at < CURRENT; at++)); do
        word=$$words[at]
        if [[ $$word == -- ]]; then
            shift $$at words
            ((CURRENT -= at))
            _normal
            return
        elif [[ $$word == -* ]]; then
            if _watcher_value "$$verb $$word"; then
                case $$word in $reach) reach+=("$$word" "$$words[at+1]") ;; esac
                ((at += 1))
                if ((at == CURRENT)); then after=$$word; fi
            fi
        elif _watcher_options "$$verb $$word"; then
            verb+=" $$word"
            place=0
        else
            ((place += 1))
        fi
    done
    found=() kind=()
    if [[ -n $$after ]]; then
        _watcher_value "$$verb $$after"
    elif [[ $$words[CURRENT] == -* ]]; then
        _watcher_options "$$verb"
    elif ! _watcher_verbs "$$verb"; then
        _watcher_argument "$$verb $$place"
    fi
    case $${kind[1]-} in
        words) compadd -- "$${(@)kind[2,-1]}" ;;
        jobs | releases | units | packs | rules)
            found=("$${(@f)$$("$$words[1]" completion --names "$$kind[1]" "$${reach[@]}" 2>/dev/null)}")
            compadd -- "$${(@)found:#}"
            ;;
        files) _files ;;
        folders) _files -/ ;;
        command) _message 'a command after --' ;;
        *) if (($${#found})); then _describe -o watcher found; fi ;;
    esac
}
if [[ $${funcstack[1]-} == _watcher ]]; then
    _watcher "$$@"
else
    compdef _watcher watcher
fi
"""

_FISH = """\
# fish completion for watcher; made by `watcher completion fish`
function __watcher_verb
    set -l verb watcher
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $$skip = 1
            set skip 0
        else if string match -q -- '-*' $$word
            contains -- $$word $valued; and set skip 1
        else
            switch "$$verb $$word"
                case $paths
                    set verb "$$verb $$word"
            end
        end
    end
    echo $$verb
end
function __watcher_names
    set -l reach
    set -l keep ''
    for word in (commandline -opc)[2..]
        if test -n "$$keep"
            set -a reach $$keep $$word
            set keep ''
        else if contains -- $$word $reach
            set keep $$word
        end
    end
    set -l program (commandline -opc)[1]
    $$program completion --names $$argv[1] $$reach 2>/dev/null
end
complete -c watcher -f
"""


def _fish(grammar: Verb) -> str:
    verbs = list(grammar.walk())
    valued = sorted({flag for verb in verbs for option in verb.options if option.value for flag in option.flags})
    head = Template(_FISH).substitute(
        valued=" ".join(valued),
        reach=" ".join(_REACH),
        paths=" ".join(f"'{' '.join(verb.path)}'" for verb in verbs if len(verb.path) > 1),
    )
    return head + "".join(f"{line}\n" for verb in verbs for line in _fish_lines(verb))


def _fish_lines(verb: Verb) -> Iterator[str]:
    condition = f"test (__watcher_verb) = '{' '.join(verb.path)}'"
    at = f"complete -c watcher -n {_fish_quoted(condition)}"
    for below in verb.verbs:
        yield f"{at} -a {below.path[-1]} -d {_fish_quoted(below.help)}"
    for option in verb.options:
        yield f"{at}{_fish_option(option)}"
    for kind, words in dict.fromkeys((argument.kind, argument.words) for argument in verb.arguments):
        offered = _fish_offered(kind, words)
        if offered:
            yield f"{at}{offered}"


def _fish_option(option: Option) -> str:
    flags = "".join(f" -l {flag[2:]}" if flag.startswith("--") else f" -s {flag[1:]}" for flag in option.flags)
    words = f" -d {_fish_quoted(option.help)}" if option.help else ""
    if not option.value:
        return f"{flags}{words}"
    requires = " -r" if option.kind is Kind.FILES else " -x"
    return f"{flags}{requires}{_fish_offered(option.kind, option.words)}{words}"


def _fish_offered(kind: Kind, words: tuple[str, ...]) -> str:
    match kind:
        case Kind.WORDS:
            return f" -a {_fish_quoted(' '.join(words))}"
        case Kind.JOBS | Kind.RELEASES | Kind.UNITS | Kind.PACKS | Kind.RULES:
            return f" -a '(__watcher_names {kind})'"
        case Kind.FILES:
            return " -F"
        case Kind.FOLDERS:
            return " -a '(__fish_complete_directories)'"
        case Kind.COMMAND | Kind.ANYTHING:
            return ""


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
