"""Templates: the environment that all pages are made with."""

from __future__ import annotations

import gettext
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from syncengine.web.console import german
from syncengine.web.console.beside import split_place
from syncengine.web.console.times import Times
from syncengine.web.console.words import plain, short_id

HERE: Final = Path(__file__).parent
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
"""A canonical datetime."""
LANGUAGES: Final = ("en", "de")
"""The first one is that of the templates."""


def language_of(accepted: str) -> str:
    """The language to answer in, of an Accept-Language header."""
    wanted = []
    for part in accepted.split(",")[:20]:
        tag, _, quality = part.partition(";q=")
        try:
            wanted.append((float(quality or 1), tag.strip().casefold().partition("-")[0]))
        except ValueError:
            continue
    known = [(-quality, tag) for quality, tag in wanted if tag in LANGUAGES and quality > 0]
    return min(known, key=lambda pair: pair[0])[1] if known else LANGUAGES[0]


@cache
def translations(language: str) -> gettext.NullTranslations:
    """The texts in a language."""
    return gettext.translation("console", HERE / "locale", [language], fallback=True)


@cache
def environment(language: str) -> Environment:
    """The templates in a language."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=steady,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    catalogue = translations(language)
    made.install_gettext_callables(  # type: ignore[attr-defined]
        catalogue.gettext, catalogue.ngettext, newstyle=True
    )
    made.filters.update(
        say=say(language),
        sums=say(language, german.sums),
        span=span,
        value=value,
        short_id=short_id,
        plain=plain,
        number=number,
        combined=combined,
        field=field(language),
        fields=fields(language),
        split_place=split_place,
        rule=rule,
    )
    return made


def say(
    language: str, how: Callable[[str, Callable[[str], str]], str] = german.spoken
) -> Callable[[str], str]:
    """Puts English sentences that are stored or raised into a language."""
    if language != "de":
        return str
    return lambda text: how(text, translations(language).gettext) if text else text


def field(language: str) -> Callable[[str], str]:
    """What people call a field: ``work email``; in German where it is one of the starter's."""
    word = translations(language).gettext
    return lambda name: word(name).replace("_", " ") if name else name


def fields(language: str) -> Callable[[str, Iterable[str]], str]:
    """A sentence with these fields called as people do; only names that are no word besides."""
    called = field(language)

    def renamed(text: str, names: Iterable[str]) -> str:
        odd = {name: called(name) for name in names if "_" in name}
        if not odd:
            return text
        form = re.compile(r"(?<![\w@.])(" + "|".join(map(re.escape, odd)) + r")(?![\w@])")
        return form.sub(lambda found: odd[found[1]], text)

    return renamed


def steady(given: Any) -> Any:
    """What is put into a page, without characters that steer what stands around it."""
    if isinstance(given, str) and not isinstance(given, Markup) and not given.isprintable():
        return "".join(c if c.isprintable() or c == "\n" else " " for c in given)
    return given


_LONG_WORD: Final = 20
_PIECE: Final = re.compile(r".{0,23}?[@._/:?&=-](?![@._/:?&=-])|.{1,24}")
"""What of a long word stays together: up to the next sign, or so many characters."""


@pass_context
def value(context: Context, given: Any) -> Markup:
    """A value of a row or a record: text whose direction is its own; moments in the zone of the page."""
    times: Times | None = context.get("times")
    if times is not None and isinstance(given, str) and _MOMENT.fullmatch(given):
        at = datetime.fromisoformat(given).timestamp()
        return Markup('<time datetime="%s" title="%s">%s</time>') % (given, given, times.minute(at))
    if times is not None and isinstance(given, bool):
        return Markup("<bdi>%s</bdi>") % times.translate(plain(given))
    return Markup("<bdi>%s</bdi>") % breakable(plain(given))


def breakable(text: str) -> Markup:
    """A text whose long words, as addresses are, break where people would break them; somewhere, if nowhere."""
    return Markup("").join(
        Markup("<wbr>").join(_PIECE.findall(word)) if len(word) > _LONG_WORD else word
        for word in re.split(r"(\s+)", text)
    )


def combined(words: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Words of an address with others in front."""
    return {**words, **more}


def rule(place: str | None) -> str:
    """``person.yaml:25`` of ``/etc/sync/person.yaml:25:7``."""
    parts = (place or "").rpartition("/")[2].split(":")
    return ":".join(parts[:2])


def span(seconds: float) -> str:
    """``60 s``, ``1 h``."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def number(count: int) -> str:
    """``1,234``."""
    return f"{count:,}"


def time_element(times: Times, at: float | None, how: str = "short") -> Markup:
    """A time with all of it at hand."""
    spell = {"short": times.short, "day": times.day, "ago": times.ago, "full": times.full}[how]
    if not at:
        return escape(times.full(None))
    return Markup('<time datetime="%s" title="%s">%s</time>') % (
        times.iso(at), times.full(at), spell(at),
    )  # fmt: skip


def render(name: str, language: str, values: Mapping[str, Any]) -> str:
    """A page as text."""
    return environment(language).get_template(name).render(values)
