"""The benches: what they are called by, and what they leave behind."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from importlib import import_module
from pathlib import Path

import pytest

from bench.__main__ import BENCHES, SETS
from bench.result import Goal, Result


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_says_in_a_sentence_what_it_measures(name: str) -> None:
    """The first paragraph is what ``python -m bench`` lists."""
    module = import_module(f"bench.{name}")
    assert module.__doc__
    assert module.__doc__.partition("\n\n")[0].endswith(".")
    assert callable(module.run)
    assert callable(module.options)


@pytest.mark.parametrize("name", SETS)
def test_a_set_names_benches_that_there_are(name: str) -> None:
    """Each line of a set begins with the name of one."""
    assert {line.split()[0] for line in SETS[name]} <= set(BENCHES)


def test_a_result_is_a_table_a_document_and_a_plot(tmp_path: Path) -> None:
    """Ratios are taken round by round and judged by their median; a goal may be about the figure itself."""
    result = Result("speed", "How fast", "changes/s", "bare <script>")
    fast = result.case("two workers", Goal(least=0.5))
    fast.engine, fast.limit = [10.0, 30.0, 40.0], [40.0, 50.0, 50.0]
    start = result.case("start", Goal(most=0.3, absolute=True))
    start.engine, start.limit = [0.4], [0.01]
    assert fast.ratios == [0.25, 0.6, 0.8]
    assert (fast.met, start.met) == (True, False)
    assert (
        "| two workers | 30 (10 to 40) | 50 (40 to 50) | 0.60 (0.25 to 0.80) | >= 0.5 | yes |"
        in result.table()
    )
    document, plot = result.save(tmp_path)
    cases = json.loads(document.read_text("utf-8"))["cases"]
    assert [case["met"] for case in cases] == [True, False]
    assert ElementTree.fromstring(plot.read_text("utf-8")).tag.endswith("svg")
