"""``python -m tests.situations`` writes ``docs/situations.md`` anew."""

from tests.situations.page import PAGE, page

PAGE.write_text(page(), encoding="utf-8")
