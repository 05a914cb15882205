"""How counts, shares, sizes and texts are written for people, in terminals, reports and errors alike."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 step``, ``12,345 rows``; ``plural`` where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def counted_as(number: int, plural: str) -> str:
    """A number with its noun, given in the plural: ``1 query``, ``400 queries``, ``1 text``."""
    singular = f"{plural[:-3]}y" if plural.endswith("ies") else plural.removesuffix("s")
    return counted(number, singular, plural)


def share(part: float) -> str:
    """A share in percent, ``0 %`` only for nothing at all: ``12.3 %``, ``0.04 %``, ``61 %``."""
    percent = 100 * part
    if 0 < percent < 0.005:
        return "less than 0.01 %"
    digits = 0 if percent >= 20 or percent == 0 else 1 if percent >= 0.1 else 2
    return f"{percent:.{digits}f} %"


def size(number: float) -> str:
    """Bytes in a unit that can be read: ``1.6 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def one_line(text: str, width: int = 100) -> str:
    """A text without line breaks, cut to ``width`` characters with an ellipsis as the last."""
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1].rstrip() + "…"
