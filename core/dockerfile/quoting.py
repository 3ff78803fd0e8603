"""Where words end: at blanks outside of quotes, unless an escape stands before."""

from __future__ import annotations


def cut_word(text: str, escape: str) -> tuple[str, str]:
    """The first word, with quotes and escapes taken off, and what follows it."""
    word, quote, skip = [], "", False
    for index, char in enumerate(text):
        if skip:
            skip = False
            word.append(char)
        elif char == escape and quote != "'":
            skip = True
        elif quote:
            if char == quote:
                quote = ""
            else:
                word.append(char)
        elif char in "'\"":
            quote = char
        elif char.isspace():
            return "".join(word), text[index:].lstrip()
        else:
            word.append(char)
    return "".join(word), ""


def split_words(text: str, escape: str) -> list[str]:
    """Cut at blanks outside of quotes; quotes and escapes stay in the words."""
    words, word, quote, skip = [], "", "", False
    for char in text:
        if skip:
            skip = False
        elif char == escape and quote != "'":
            skip = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char.isspace():
            words.append(word)
            word = ""
            continue
        word += char
    return [word for word in [*words, word] if word]
