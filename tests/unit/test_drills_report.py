"""What a person is shown of a verdict: text, a page that needs nothing else, and its picture."""

import json
import re
from dataclasses import asdict, replace
from xml.etree import ElementTree

import pytest

from jobctl.chaos.drills.history import FaultSeen, Fleet, History, Listed
from jobctl.chaos.drills.recovery import recoveries
from jobctl.chaos.drills.report import report_of
from jobctl.chaos.drills.stories import stories
from jobctl.chaos.drills.timeline import level, rate, stints
from jobctl.chaos.drills.verdict import judge
from jobctl.chaos.drills.where import Glance
from jobctl.cli.drill_text import glance_line, verdict_blocks
from jobctl.cli.drilling import worst
from jobctl.config.freshness import ROOT
from tests.support.forged import BEGAN, TERMS, JobMaker, history_of


def a_drill() -> History:
    """A job that ended, one that was taken from a lost worker, and one that is stuck."""
    jobs = [JobMaker(f"{number:026d}", "work", BEGAN + number) for number in (1, 2, 3)]
    for one in jobs:
        one.move("queued")
    jobs[0].try_once("succeeded", "worker-1", told=True)
    jobs[1].try_once("lost-ended", "worker-1", told=True)
    jobs[1].try_once("succeeded", "worker-2", told=True)
    jobs[2].move("claimed", "worker-<3>")
    seen = history_of(jobs)
    return replace(
        seen,
        ended=BEGAN + 100,
        listing={**seen.listing, jobs[2].job: Listed("running", 1)},
        fleet=(Fleet(BEGAN, 3, 3), Fleet(BEGAN + 2, 2, 3)),
        faults=(
            *seen.faults,
            FaultSeen("partition", "worker-<3>", BEGAN + 4, BEGAN + 9),
            FaultSeen("pause-redis", "", BEGAN + 5, BEGAN + 5, "it <cannot> be"),
        ),
    )


def page() -> str:
    seen = a_drill()
    return report_of(judge("a <drill>", 7, seen, TERMS), seen, TERMS, "What & why.")


def test_the_page_needs_nothing_from_elsewhere() -> None:
    outside = ("http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link")
    assert not [word for word in outside if word in page()]


def test_whatever_the_page_is_told_is_text_in_it() -> None:
    text = page()
    assert "a &lt;drill&gt;" in text
    assert "worker-&lt;3&gt;" in text
    assert "it &lt;cannot&gt; be" in text
    assert "What &amp; why." in text
    assert not re.search("<drill>|<3>|<cannot>", text)


def test_the_page_tells_the_verdict_and_each_story() -> None:
    text = page()
    assert '<p class="outcome">INCONCLUSIVE</p>' in text
    assert "<b>stuck</b>" in text
    assert f"{3:026d}" in text
    assert "begun by attempts 1, 2; 2 of them did all of it" in text


def test_the_picture_is_well_formed_and_shows_every_attempt_and_fault() -> None:
    drawn = re.search(r"<svg.*</svg>", page(), re.DOTALL)
    assert drawn
    svg = ElementTree.fromstring(drawn[0])
    kinds = [one.get("class") for one in svg.iter("rect")]
    titles = [one.text or "" for one in svg.iter("title")]
    assert kinds.count("fault") == 2
    assert kinds.count("during") == 2
    assert sum("attempt" in title for title in titles) == 4
    for one in svg.iter("rect"):
        assert float(one.get("width", "-1")) > 0
        assert float(one.get("x", "0")) + float(one.get("width", "0")) <= 1120.1


def test_levels_and_rates_count() -> None:
    seen = a_drill()
    told = stories(seen)
    queued = level(told.values(), frozenset({"queued"}), BEGAN)
    assert max(number for _, number in queued) == 1
    assert queued[-1][1] == 0
    assert rate([BEGAN, BEGAN + 0.5, BEGAN + 3], BEGAN, BEGAN + 4, 2.0) == [
        (0.0, 1.0),
        (2.0, 0.5),
        (4.0, 0.0),
    ]
    assert [one.how for one in stints(told, seen)] == ["succeeded", "taken", "succeeded", "open"]


def test_attempts_beside_each_other_have_lanes_of_their_own() -> None:
    jobs = [JobMaker(f"{number:026d}", "work", BEGAN) for number in (1, 2)]
    for one in jobs:
        one.move("queued")
        one.try_once("succeeded", "worker-1", told=True)
    seen = history_of(jobs)
    assert sorted(one.lane for one in stints(stories(seen), seen)) == [0, 1]


def test_a_drill_of_nothing_can_be_drawn() -> None:
    empty = History(BEGAN, BEGAN, (), (), (), {})
    assert not recoveries(empty, TERMS).each
    assert "<svg" in report_of(judge("none", 1, empty, TERMS), empty, TERMS, "")


def test_the_text_tells_the_counts_the_faults_and_the_stories() -> None:
    seen = a_drill()
    blocks = verdict_blocks(judge("a", 7, seen, TERMS), "a")
    lines = [block if isinstance(block, str) else block.plain() for block in blocks]
    text = "\n".join(lines)
    assert lines[0].startswith("INCONCLUSIVE  a, seed 7: 3 jobs acknowledged, 2 ended; 0 lost")
    assert "pause-redis could not be made: it <cannot> be" in text
    assert f"stuck {3:026d}: claimed for" in text
    assert re.search(r"partition +worker-<3> +4.0s", text)


def test_the_live_line_tells_how_it_stands() -> None:
    glance = Glance(12.4, 60.0, 100, 90, 4, 2, 3, 1, ("pause-worker worker-2",))
    assert glance_line(glance) == (
        "12 s of 60, 90 of 100 jobs ended, 4 queued, 2/3 workers, 1 faults; "
        "now pause-worker worker-2"
    )


@pytest.mark.parametrize(
    ("codes", "code"), [({0}, 0), ({0, 2}, 2), ({0, 1, 2}, 1), ({1}, 1), (set(), 0)]
)
def test_of_several_runs_the_worst_counts(codes: set[int], code: int) -> None:
    assert worst(codes) == code


def test_the_json_has_all_that_its_schema_names() -> None:
    said = json.loads(json.dumps(asdict(judge("a", 7, a_drill(), TERMS))))
    schema = json.loads((ROOT / "docs" / "verdict.schema.json").read_text())
    assert set(said) == set(schema["properties"]) == set(schema["required"])
    for name in ("Recovered", "Defect", "RunTwice"):
        rows = {"Recovered": "faults", "Defect": "defects", "RunTwice": "twice"}[name]
        assert set(said[rows][0]) == set(schema["$defs"][name]["properties"])
