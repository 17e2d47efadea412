"""Pages for tests: a study with everything in it, a hostile one, and exhibits of every kind."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from msgspec.structs import replace
from PIL import Image as Pictures
from records_factory import FAIL, MACHINE, block, died, machine_record, measured, record, stages

from harness.contract import Trap
from harness.record import Measured, Memory, ParityVerdict, Record
from harness.records.store import Damaged, Study
from harness.records.studies import Loaded
from reports.content.content import content
from reports.page import style
from reports.page.exhibit import Exhibit, Image
from reports.page.html import StudyPart, page
from reports.statistics.study import StudyRead
from reports.words.table import grid, number, words

EVIL = "<script>window.pwned=1</script><img src=x onerror=window.pwned=2>"
"""What would run if it reached the page as markup."""
HOSTILE = f"\x1b[31m\u202e{EVIL}\u2028</script></style>--><a href='https://example.org'>x</a>\x00{{{{7*7}}}}"
ROWS = ("torch eager", "tensorflow graph", "mindspore eager")


def records() -> list[Record]:
    """Return a study with a clear order, a tie, a row without parity, failures, and a machine of stages."""
    found = [record("torch", repeat=i, found=measured(0.01 + i / 1e4, 0.9 + i / 100)) for i in range(3)]
    found += [record("tensorflow", mode="graph", repeat=i, found=measured(0.0102 + i / 1e4, 0.8)) for i in range(3)]
    found += [record("mindspore", mode="graph", repeat=i, found=measured(0.1 + i / 1e4, 0.9)) for i in range(3)]
    found += [record("mindspore", repeat=i, parity=FAIL, found=measured(0.001)) for i in range(2)]
    found += [died("torch", mode="graph", repeat=i, status="timeout", reason="took too long") for i in range(2)]
    found += [machine_record("torch", repeat=i, parts=stages(0.01 + i / 1e3)) for i in range(2)]
    return found


def hostile() -> list[Record]:
    """Return records whose every string is an attack, and whose numbers are the ends of what a float holds."""
    huge = HOSTILE + "x" * 10_000_000
    evil = Measured(
        python=HOSTILE,
        versions={HOSTILE: HOSTILE},
        settings={HOSTILE: HOSTILE},
        traps=(Trap(name=HOSTILE, sentence=HOSTILE, harmful=False), Trap(name="b", sentence=HOSTILE, harmful=True)),
        device_name=HOSTILE,
        memory=Memory(reasons={HOSTILE: HOSTILE}),
    )
    nothing: dict[str, Any] = {"quality": {"accuracy": None}, "losses": (None,), "loss_steps": (1,)}
    found = [
        record("torch", repeat=0, status="crashed", reason=huge, found=evil, machine=replace(MACHINE, cpu=HOSTILE)),
        record("torch", repeat=1, status="crashed", reason=HOSTILE, parity=ParityVerdict(passed=False, reason=HOSTILE)),
        record("numpy", mode=HOSTILE, found=measured(device_name=HOSTILE)),
        record("mindspore", found=measured(**nothing), baselines={HOSTILE: 0.5}),
    ]
    for place, (name, low, high) in enumerate((("tensorflow", 1e308, 1.7e308), ("numpy", 5e-324, 1e-320))):
        for repeat, seconds in enumerate((low, high, low)):
            blocks = tuple(block("steady", 1, seconds) for _count in range(10))
            losses = (1e308, 5e-324, -1e308)
            facts: dict[str, Any] = {
                "blocks": blocks,
                "losses": losses,
                "loss_steps": (1, 2, 3),
                "device_name": f"{HOSTILE}{place}",
            }
            found.append(record(name, mode="graph", repeat=repeat, found=measured(**facts, accuracy=1e308)))
            found.append(record(f"{name}{EVIL}", repeat=repeat, found=measured(seconds, 5e-324), mode=EVIL))
    named = replace(found[-1].task, name=HOSTILE)
    return [*found, replace(found[-1], task=named, spec=replace(found[-1].spec, task=HOSTILE, preset=EVIL))]


def picture() -> bytes:
    """Return a small PNG."""
    stream = io.BytesIO()
    Pictures.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(stream, "PNG")
    return stream.getvalue()


def exhibits(name: str = "torch eager") -> tuple[Exhibit, ...]:
    """Return an exhibit of every kind, with a name that stands in all its texts."""
    rows = [(label, float(place * 7 % 12)) for place, label in enumerate([*ROWS, name] * 3)]
    numbers = grid(
        ("Row", "Examples/s", "Reason"),
        [(words(label), number(value), words("took too long", quoted=True)) for label, value in rows],
    )
    bars = style.panels([name, name], [100, 100])
    for panel in (1, 2):
        shown = go.Bar(x=[value for _, value in rows], y=list(range(len(rows))), orientation="h", name=name)
        bars.add_trace(shown, row=panel, col=1)
        style.named_rows(bars, [label for label, _ in rows], panel=panel)
        bars.update_xaxes(title={"text": f"a<br>{name}"}, row=panel, col=1)
    curve = go.Figure([go.Scatter(x=np.arange(40), y=np.geomspace(1, 1e-3, 40), name=name) for _line in range(2)])
    curve.update_yaxes(type="log", title={"text": name})
    curve.update_layout(showlegend=True)
    extremes = go.Figure(go.Scatter(x=[0.0, 1.0, 2.0, 3.0], y=np.array([1e308, 5e-324, np.nan, -1e308]), name=name))
    return (
        Exhibit(name="throughput", title="Throughput", note=name, alt=f"Bars of {name}.", figure=bars, grid=numbers),
        Exhibit(name="loss", title="Loss", alt="A falling curve.", figure=curve, grid=numbers),
        Exhibit(name="extremes", title="Ends of what a float holds", alt="Nothing to see.", figure=extremes),
        Exhibit(name="filters", title="Filters", images=(Image(png=picture(), caption=name, alt=f"{name}: filters"),)),
        Exhibit(name="repeats", title="Repeats", grid=numbers),
    )


def part(
    items: Sequence[Record], shown: tuple[Exhibit, ...] = (), *, name: str = "quick", reason: str = ""
) -> StudyPart:
    """Return a study as the page takes it, with damage if there is a reason for it."""
    damaged = [Damaged(path=f"results/{reason}.json", reason=reason)] if reason else []
    plan = Study(name=name, created_at="2026-11-21", command=("run", name), specs=tuple(item.spec for item in items))
    loaded = Loaded(folder=Path(name), plan=plan, records=list(items), damaged=damaged)
    study = StudyRead.of_loaded(loaded)
    return StudyPart(study=study, said=content(study), exhibits=shown)


def good_page() -> str:
    """Return the page of a study with everything in it."""
    return page([part(records(), exhibits())])


def hostile_page() -> str:
    """Return the page of a study in which every string is an attack."""
    return page([part(hostile(), exhibits(HOSTILE), name="hostile", reason=HOSTILE)])
