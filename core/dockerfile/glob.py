"""Shell patterns in `${name#pattern}`: `*`, `?` and the backslash, in time linear in text times pattern.

The set of places in the text that a pattern can have reached is one integer, a bit a place, so no pattern of a
hostile file can make the matcher go back and forth.
"""

from __future__ import annotations

_ANY, _MANY = "?", "*"
Tokens = list[tuple[str, bool]]  # a character, and whether it stands for itself


def parse(pattern: str) -> Tokens:
    """The pattern's tokens, backslashes taken off."""
    tokens: Tokens = []
    literal = False
    for char in pattern:
        if char == "\\" and not literal:
            literal = True
            continue
        tokens.append((char, literal or char not in (_ANY, _MANY)))
        literal = False
    return tokens


def _reach(text: str, tokens: Tokens, start: int) -> int:
    """Where the pattern can end when it begins at `start`: bit n = before character n."""
    everywhere = (1 << len(text) + 1) - 1
    places: dict[str, int] = {}
    mask = 1 << start
    for char, literal in tokens:
        if not mask:
            return 0
        if literal:
            if char not in places:
                places[char] = int("".join("1" if other == char else "0" for other in reversed(text)) or "0", 2)
            mask = (mask & places[char]) << 1
        elif char == _ANY:
            mask = (mask << 1) & everywhere
        else:
            mask = everywhere & ~((mask & -mask) - 1)
    return mask


def cut_front(text: str, pattern: str, *, longest: bool) -> str:
    """`text` without what `pattern` matches at its start."""
    mask = _reach(text, parse(pattern), 0)
    if not mask:
        return text
    return text[(mask.bit_length() if longest else (mask & -mask).bit_length()) - 1 :]


def cut_back(text: str, pattern: str, *, longest: bool) -> str:
    """`text` without what `pattern` matches at its end."""
    mask = _reach(text[::-1], parse(pattern)[::-1], 0)
    if not mask:
        return text
    cut = (mask.bit_length() if longest else (mask & -mask).bit_length()) - 1
    return text[: len(text) - cut]


def replace(text: str, pattern: str, replacement: str, *, every: bool) -> str:
    """The first match of `pattern`, or every one, replaced; matches are as long as they can be."""
    tokens = parse(pattern)
    done, at = "", 0
    while at < len(text) and tokens:
        mask = _reach(text[at:], tokens, 0)
        end = at + mask.bit_length() - 1
        if not mask or end == at:
            done, at = done + text[at], at + 1
            continue
        done, at = done + replacement, end
        if not every:
            break
    return done + text[at:]
