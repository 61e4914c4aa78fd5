"""The report: one HTML file that needs nothing else, to look at and to send to somebody. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape

from jobctl.chaos.drills.checker import MEANINGS, Defect
from jobctl.chaos.drills.history import History, Terms
from jobctl.chaos.drills.picture import picture
from jobctl.chaos.drills.recovery import recoveries
from jobctl.chaos.drills.report_style import STYLE
from jobctl.chaos.drills.stories import stories
from jobctl.chaos.drills.verdict import Recovered, Verdict

_MOST_STORIES = 200

_SAYS = {
    "PASS": "Every acknowledged job ended as it should, and the cluster got over every fault.",
    "FAIL": "Something that was promised did not hold.",
    "INCONCLUSIVE": "Too little was seen to say which: this run proves nothing.",
}


def report_of(verdict: Verdict, history: History, terms: Terms, description: str) -> str:
    """Return the report of one run as an HTML document."""
    told = stories(history)
    drawn = picture(history, terms, told, recoveries(history, terms).unsteady)
    parts = [
        *_head(verdict, description),
        *_counts(verdict),
        "<h2>Timeline</h2>",
        f'<div class="wide">{drawn}</div>',
        *_faults(verdict),
        *_defects(verdict),
        *_twice(verdict),
        *_gaps(verdict),
        *_terms(terms),
    ]
    title = f"{verdict.outcome}: {escape(verdict.drill)}, seed {verdict.seed}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(verdict: Verdict, description: str) -> Iterator[str]:
    when = datetime.fromtimestamp(verdict.began_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield (
        f'<header class="{verdict.outcome.lower()}"><p class="outcome">{verdict.outcome}</p>'
        f"<div><h1>{escape(verdict.drill)}</h1>"
        f"<p>{escape(description)}</p>"
        f'<p class="quiet">seed {verdict.seed} · {when} · '
        f"{verdict.seconds:.1f} s</p></div></header>"
    )
    yield f"<p>{_SAYS[verdict.outcome]}</p>"
    if verdict.reasons:
        yield _list((escape(reason) for reason in verdict.reasons), "reasons")


def _counts(verdict: Verdict) -> Iterator[str]:
    ended = ", ".join(f"{number} {status}" for status, number in sorted(verdict.ended.items()))
    boxes = [
        ("acknowledged", verdict.acknowledged, ended, False),
        ("lost", verdict.lost, MEANINGS["lost"], True),
        ("accepted twice", verdict.accepted_twice, MEANINGS["accepted-twice"], True),
        ("stuck", verdict.stuck, MEANINGS["stuck"], True),
        ("unfinished", verdict.unfinished, MEANINGS["unfinished"], True),
        ("unexpected", verdict.unexpected, MEANINGS["unexpected"], True),
        ("cut short", verdict.cut_short, MEANINGS["cut-short"], True),
        ("run twice", verdict.run_twice, "work begun by several attempts: allowed", False),
        ("fenced", verdict.fenced, "stale writes that were refused", False),
    ]
    cells = "".join(
        f'<div class="box{" bad" if bad and number else ""}"><b>{number}</b>'
        f"<span>{name}</span><small>{escape(text)}</small></div>"
        for name, number, text, bad in boxes
    )
    yield f'<div class="boxes">{cells}</div>'


def _faults(verdict: Verdict) -> Iterator[str]:
    yield "<h2>Faults</h2>"
    if not verdict.faults:
        yield "<p>None were made.</p>"
        return
    names = ("fault", "target", "at", "lasted", "jobs held", "taken", "to detect")
    head = "".join(f"<th>{name}</th>" for name in (*names, "to run again", "to steady"))
    rows = "".join(f"<tr>{_fault(fault)}</tr>" for fault in verdict.faults)
    yield f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'
    yield (
        '<p class="quiet">To detect: until the first job was taken from the victim. To run again: '
        "until the last of them was claimed by somebody else. To steady: from the end of the fault "
        "until the steady state held again.</p>"
    )


def _fault(fault: Recovered) -> str:
    first = f"<td>{escape(fault.kind)}</td><td>{escape(fault.instance)}</td>"
    first += f"<td>{fault.began:.1f} s</td>"
    if fault.problem:
        return f'{first}<td colspan="6">{escape(fault.problem)}</td>'
    times = (fault.detected, fault.redispatched, fault.steady)
    return (
        f"{first}<td>{_took(fault.ended - fault.began)}</td><td>{len(fault.held)}</td>"
        f"<td>{len(fault.lost)}</td>" + "".join(f"<td>{_took(one)}</td>" for one in times)
    )


def _defects(verdict: Verdict) -> Iterator[str]:
    if not verdict.defects:
        return
    yield "<h2>What went wrong</h2>"
    for number, defect in enumerate(verdict.defects[:_MOST_STORIES]):
        yield _defect(defect, unfolded=number == 0)
    if len(verdict.defects) > _MOST_STORIES:
        yield f"<p>And {len(verdict.defects) - _MOST_STORIES} more, in the JSON report.</p>"


def _defect(defect: Defect, *, unfolded: bool) -> str:
    lines = "\n".join(escape(line) for line in defect.story)
    return (
        f"<details{' open' if unfolded else ''}><summary><b>{defect.kind}</b> "
        f"<code>{escape(defect.job)}</code> {escape(defect.text)}</summary>"
        f"<pre>{lines}</pre></details>"
    )


def _twice(verdict: Verdict) -> Iterator[str]:
    if not verdict.twice:
        return
    yield "<h2>Run twice</h2><p>Allowed: execution is at least once, and one end is accepted.</p>"
    rows = (
        f"<code>{escape(one.job)}</code> begun by attempts "
        f"{', '.join(map(str, one.attempts))}; {one.ended} of them did all of it"
        for one in verdict.twice[:_MOST_STORIES]
    )
    yield _list(rows, "plain")


def _gaps(verdict: Verdict) -> Iterator[str]:
    if verdict.gaps:
        yield "<h2>Gaps in the recording</h2>"
        yield _list((escape(gap) for gap in verdict.gaps[:_MOST_STORIES]), "plain")


def _terms(terms: Terms) -> Iterator[str]:
    yield "<h2>What was promised</h2>"
    expected = (
        f"{escape(work)}: {' or '.join(sorted(found))}" for work, found in terms.expected.items()
    )
    yield _list(
        [
            f"steady: a job starts within {terms.start_within:g} s, and at most {terms.backlog} "
            "wait",
            f"recovered within {terms.bound:g} s of the end of a fault",
            *([f"at most {terms.run_twice} run twice"] if terms.run_twice is not None else []),
            *expected,
        ],
        "plain",
    )


def _list(items: Iterable[str], kind: str) -> str:
    return f'<ul class="{kind}">' + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{max(0.0, seconds) * 1000:.0f} ms"
