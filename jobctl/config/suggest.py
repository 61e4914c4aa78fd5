"""What was probably meant by a word that is none of those there are."""


def closest(word: str, choices: list[str], cutoff: float = 0.6) -> str:
    """Return the choice that was probably meant, "" when none is close."""
    from difflib import get_close_matches  # noqa: PLC0415 - for words that are wrong alone

    return next(iter(get_close_matches(word, choices, 1, cutoff)), "")
