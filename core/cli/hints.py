"""What a typical slip was meant to be. Only imported once something went wrong."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_LIKELY = 0.7  # how like two words must be for one to be taken for the other


def long_flag(names: Iterable[str], word: str) -> str:
    """`--name` for `-name` or `--nmae`; "" when nothing is like it."""
    names = list(names)
    if len(word) > 1 and word in names:
        return f"--{word}"
    close = _closest(word, names)
    return f"--{close}" if close else ""


def verb(names: Iterable[str], word: str) -> str:
    """The verb that `word` was meant to be, "" when nothing is like it."""
    return _closest(word, list(names))


def _closest(word: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, names, 1, _LIKELY)), "")


def image(reference: str, operands: Sequence[str], argv: Sequence[str]) -> str:
    """Why an image of this name may not have been meant; "" when it looks like one.

    `run -i it ubuntu` takes the image `it`; `run -t name web nginx` the image `name`.
    """
    meant = operands[1] if len(operands) > 1 else "IMAGE"
    if set(reference) <= set("itd") and reference:
        before = argv[: argv.index(reference)] if reference in argv else []
        letters = next((word[1:] for word in reversed(before) if word[:1] == "-" and word[:2] != "--"), "")
        cluster = (
            "".join(sorted({*letters, *reference}, key="itd".find)) if set(letters) <= set("itd") else reference
        )
        return f'"{reference}" was taken for the image; did you mean "-{cluster} {meant}"?'
    if reference in ("name", "rm", "env", "entrypoint", "restart", "hostname", "volume", "publish", "detach"):
        return f'"{reference}" was taken for the image; did you mean "--{reference}"?'
    return ""


def short_lived(command: Sequence[str], *, tty: bool, stdin: bool) -> str:
    """Why a shell in the background ends at once; "" when it is not one."""
    shells = ("sh", "bash", "ash", "dash", "zsh", "busybox")
    if len(command) == 1 and command[0].rsplit("/", 1)[-1] in shells and not (tty or stdin):
        return f'{command[0]} has no terminal and ends at once; add "-it" to keep it'
    return ""


def archive(message: str) -> str:
    """What to do with a tar that `load` did not take; "" when the message says nothing of it."""
    if "no such file or directory" in message and ("/json" in message or "repositories" in message):
        return 'this is not an image archive; a tar of "export" is taken by "import"'
    return ""
