"""What the page shows of what nets learned: every picture's numbers in its table, and nothing from a hostile file."""

import io
import json
import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image as Pillow
from records_factory import LENET, MACHINE_TASK, died, machine_record, of_task, record, write_study

from harness import registry
from harness.record import Record
from harness.records import evidence, studies
from harness.records.evidence import Answers, Evidence, Example, Point, Surface
from reports.page.evidence import exhibits, files
from reports.page.exhibit import Exhibit
from reports.statistics.study import StudyRead

NAMES = ("bad", "good")


def shown(folder: Path) -> dict[str, Exhibit]:
    """Return the exhibits of a study, by name."""
    loaded = studies.load(folder)
    found = exhibits.exhibits(StudyRead.of_loaded(loaded))
    assert len({exhibit.name for exhibit in found}) == len(found)
    for exhibit in found:
        assert exhibit.grid is None or all(len(row) == len(exhibit.grid.headers) for row in exhibit.grid.rows)
        assert exhibit.figure is None or exhibit.alt
        assert all(image.alt and image.caption for image in exhibit.images)
    return {exhibit.name: exhibit for exhibit in found}


def leave(folder: Path, item: Record, found: Evidence) -> Path:
    path = evidence.path(folder, item.spec.run_id)
    path.parent.mkdir()
    path.write_bytes(evidence.encode(replace(found, started_at=found.started_at or item.started_at)))
    return path


def lenet_answers(shift: int = 0) -> Evidence:
    """Return answers of which `shift` of a class are taken for the next one."""
    counts = np.diag([36 - shift] * 10) + np.roll(np.diag([shift] * 10), 1, axis=1)
    picture = bytes(range(64))
    wrong = tuple(
        Example(index=5 * i, label=i, predicted=(i + 1) % 10, probability=0.9 - i / 100, picture=picture)
        for i in range(shift and 3)
    )
    predicted = tuple((label + (place < shift)) % 10 for label in range(10) for place in range(36))
    answers = Answers(
        counts=tuple(map(tuple, counts.tolist())), unanswered=(0,) * 10, wrong=wrong, predicted=predicted,
        probabilities=(0.9,) * 360, picture_shape=(8, 8, 1) if wrong else None,
    )  # fmt: skip
    return Evidence(answers=answers)


def surface() -> Evidence:
    """Return a surface whose logit is ten times the first input."""
    across = np.linspace(-0.5, 1.5, 41)
    points = tuple(Point(x=(float(a), float(b)), y=float(a != b)) for a in (0, 1) for b in (0, 1))
    rows = tuple(tuple(float(10 * x) for x in across) for _y in across)
    return Evidence(surface=Surface(low=(-0.5, -0.5), high=(1.5, 1.5), outputs=rows, points=points))


def texts(sentence: str = "the room was <unknown>") -> Evidence:
    wrong = Example(index=3, label=0, predicted=1, probability=0.75, text=sentence)
    right = Example(index=4, label=1, predicted=1, probability=0.875, text="房间 很 好")
    answers = Answers(counts=((400, 100), (50, 450)), unanswered=(0, 0), names=NAMES, wrong=(wrong,), right=(right,))
    return Evidence(answers=answers)


def png(mode: str = "L", side: int = 20) -> bytes:
    file = io.BytesIO()
    Pillow.new(mode, (side, side), 128 if mode == "L" else None).save(file, "PNG")
    return file.getvalue()


def cells(exhibit: Exhibit) -> list[list[str]]:
    assert exhibit.grid is not None
    return [[cell.shown for cell in row] for row in exhibit.grid.rows]


def test_the_confusion_counts_of_every_backend_stand_in_the_picture_and_in_the_table(tmp_path: Path) -> None:
    items = [record("torch"), record("tensorflow")]
    folder = write_study(tmp_path / "s", items)
    for item, shift in zip(items, (2, 3), strict=True):
        leave(folder, item, lenet_answers(shift))
    found = shown(folder)["confusion-1"]
    assert found.figure is not None
    for trace in found.figure.data:
        assert [list(row) for row in trace.customdata] in (
            np.array(lenet_answers(shift).answers.counts).tolist()  # type: ignore[union-attr]
            for shift in (2, 3)
        )
    rows = [row for row in cells(found) if row[0].startswith("torch")]
    assert len(rows) == 10
    assert rows[0] == ["torch eager", "0", "36", "34", "2", *["0"] * 8]
    assert "torch eager: 340 of 360 right" in found.alt
    assert "torch eager (seed 0, repeat 0)" in found.note
    assert "same answer to 350 of the 360 test examples" in found.note


def test_the_worst_mistakes_are_pictures_with_their_numbers_beside_them(tmp_path: Path) -> None:
    item = record("torch")
    folder = write_study(tmp_path / "s", [item])
    leave(folder, item, lenet_answers(2))
    found = shown(folder)["mistakes-1"]
    (image,) = found.images
    assert image.caption == "torch eager (seed 0, repeat 0): 3 of 20 mistakes"
    assert image.alt.startswith("0 taken for 1 (0.90); 1 taken for 2 (0.89)")
    with Pillow.open(io.BytesIO(image.png)) as picture:
        assert picture.format == "PNG"
        grey = np.asarray(picture.convert("L"))
    assert grey[6, 6] <= 1, "the first pixel of the first picture is black"
    assert cells(found)[1] == ["torch eager", "2", "5", "1", "2", "0.8900"]


def test_a_surface_is_shown_as_probabilities_and_read_at_points_that_have_the_data_in_them(tmp_path: Path) -> None:
    item = of_task(registry.task("xor"), record("torch"))
    folder = write_study(tmp_path / "s", [item])
    leave(folder, item, surface())
    found = shown(folder)["surface-1"]
    assert found.figure is not None
    assert found.figure.data[0].z[0][10] == 0.5
    assert found.grid is not None
    assert [header.rsplit(" ", 1)[-1] for header in found.grid.headers[2:]] == ["-0.5", "0", "0.5", "1", "1.5"]
    assert [row[1] for row in cells(found)] == ["-0.5", "0", "0.5", "1", "1.5"]
    values = [cell.value for cell in found.grid.rows[1][2:]]
    assert values == pytest.approx([1 / (1 + math.exp(-10 * x)) for x in (-0.5, 0, 0.5, 1, 1.5)])


def test_a_surface_at_the_ends_of_float32_is_drawn(tmp_path: Path) -> None:
    item = of_task(registry.task("cosine"), record("torch"))
    folder = write_study(tmp_path / "s", [item])
    rows = ((3.4e38, -3.4e38, None), (None, 0.0, 1e-45), (None, None, 1.0))
    leave(folder, item, Evidence(surface=Surface(low=(-1e9, 0), high=(1e9, 1e-9), outputs=rows)))
    found = shown(folder)["surface-1"]
    assert found.figure is not None
    assert "Infinity" not in found.figure.to_json()
    assert cells(found)[0][2:] == ["3.40e+38", "3.40e+38", "-3.40e+38", "—", "—"]


def test_texts_of_both_languages_are_quoted_with_their_class(tmp_path: Path) -> None:
    task = registry.task("lstm-text")
    items = [of_task(task, record("torch", dataset=dataset)) for dataset in ("reviews-en", "reviews-zh")]
    folder = write_study(tmp_path / "s", items)
    for item in items:
        leave(folder, item, texts())
    found = shown(folder)
    for name in ("texts-1", "texts-2"):
        wrong, right = cells(found[name])
        assert wrong[1:5] == ["wrong", "the room was <unknown>", "bad", "good"]
        assert right[1:5] == ["right", "房间 很 好", "good", "good"]
        grid = found[name].grid
        assert grid is not None
        assert grid.rows[0][2].quoted
    assert "mistakes-1" not in found


def test_the_machines_sheets_stand_side_by_side(tmp_path: Path) -> None:
    items = [machine_record("torch"), machine_record("tensorflow")]
    folder = write_study(tmp_path / "s", items)
    for item in items:
        sheets = folder / f"{item.spec.run_id}.pictures"
        sheets.mkdir()
        for name in ("filters", "samples"):
            (sheets / f"{name}.png").write_bytes(png())
    found = shown(folder)
    assert set(found) == {"filters-1", "samples-1"}
    assert {image.caption.split(" (")[0] for image in found["filters-1"].images} == {"torch eager", "tensorflow eager"}
    assert MACHINE_TASK.name in found["samples-1"].title


def test_the_first_completed_run_by_seed_stands_for_its_row(tmp_path: Path) -> None:
    items = [record(seed=2, repeat=2), died(seed=0, repeat=0), record(seed=1, repeat=1)]
    folder = write_study(tmp_path / "s", items)
    for item, shift in zip(items, (1, 2, 3), strict=True):
        leave(folder, item, lenet_answers(shift))
    assert "torch eager: 330 of 360 right" in shown(folder)["confusion-1"].alt
    assert "(seed 1, repeat 1)" in shown(folder)["confusion-1"].note


def test_a_study_of_before_shows_nothing_and_says_nothing(tmp_path: Path) -> None:
    assert shown(write_study(tmp_path / "s", [record(), died("tensorflow")])) == {}


def bomb() -> bytes:
    """Return a PNG file of a few hundred bytes that says it has 60,000 by 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "half a file": lambda: evidence.encode(lenet_answers(1))[:200],
    "another shape": lambda: json.dumps({"answers": {"counts": [[1, 2]], "unanswered": [0]}}).encode(),
    "huge": lambda: b"[" * (evidence.MOST_BYTES + 1),
    "deep": lambda: b"[" * 200_000,
    "a pickled object array": pickled,
    "HTML": lambda: b"<script>alert(1)</script>",
    "of another run": lambda: evidence.encode(replace(lenet_answers(1), started_at="2020-01-01T00:00:00+00:00")),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_damaged_or_hostile_file_is_reported_with_its_path_and_the_rest_is_shown(
    content: Callable[[], bytes], tmp_path: Path
) -> None:
    items = [record("torch"), record("tensorflow")]
    folder = write_study(tmp_path / "s", items)
    path = leave(folder, items[0], lenet_answers(1))
    path.write_bytes(content())
    leave(folder, items[1], lenet_answers(2))
    found = shown(folder)
    assert "tensorflow eager: 340 of 360 right" in found["confusion-1"].alt
    assert "torch" not in found["confusion-1"].alt
    ((reported, reason),) = cells(found["evidence-not-shown"])
    assert reported == str(path)
    assert reason


PICTURES: dict[str, Callable[[], bytes]] = {
    "HTML": lambda: b"<html><script>alert(1)</script></html>",
    "a bomb": bomb,
    "cut off": lambda: png(side=200)[:80],
    "too large": lambda: png(side=1001),
    "too many bytes": lambda: png() + b"\0" * 1_000_000,
    "GIF": lambda: b"GIF89a" + bytes(40),
}


@pytest.mark.parametrize("content", PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_that_is_none_is_reported_and_left_out(content: Callable[[], bytes], tmp_path: Path) -> None:
    item = machine_record("torch")
    folder = write_study(tmp_path / "s", [item])
    sheets = folder / f"{item.spec.run_id}.pictures"
    sheets.mkdir()
    (sheets / "filters.png").write_bytes(content())
    (sheets / "samples.png").write_bytes(png())
    found = shown(folder)
    assert set(found) == {"samples-1", "evidence-not-shown"}
    assert cells(found["evidence-not-shown"])[0][0] == str(sheets / "filters.png")


def test_a_picture_is_written_anew_so_that_nothing_but_pixels_is_left() -> None:
    hidden = b"<script>alert(1)</script>"
    info: Any = __import__("PIL.PngImagePlugin", fromlist=["PngInfo"]).PngInfo()
    info.add_text("Comment", hidden.decode())
    file = io.BytesIO()
    Pillow.new("L", (8, 8)).save(file, "PNG", pnginfo=info)
    assert hidden in file.getvalue() + hidden
    assert hidden not in files.picture(file.getvalue() + hidden)


def test_no_file_outside_of_the_study_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png())
    item = machine_record("torch")
    climbing = of_task(replace(MACHINE_TASK, name="../outside/x"), machine_record("tensorflow"))
    folder = write_study(tmp_path / "s", [item])
    sheets = folder / f"{item.spec.run_id}.pictures"
    sheets.mkdir()
    (sheets / "filters.png").symlink_to(secret)
    outside = tmp_path / "outside" / f"{climbing.spec.run_id.rpartition('/')[2]}.pictures"
    outside.mkdir(parents=True)
    (outside / "samples.png").write_bytes(png())
    loaded = studies.load(folder)._replace(records=[item, climbing])
    (found,) = exhibits.exhibits(StudyRead.of_loaded(loaded))
    assert [row[1] for row in cells(found)] == ["it leads out of the study's folder"] * 2


def test_a_run_that_says_why_it_left_nothing_is_listed_with_its_reason(tmp_path: Path) -> None:
    item = record("torch")
    folder = write_study(tmp_path / "s", [item])
    path = leave(folder, item, Evidence(reason="RuntimeError: out of registers"))
    (found,) = shown(folder).values()
    assert cells(found) == [[str(path), "RuntimeError: out of registers"]]


def test_of_many_rows_and_groups_some_are_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [record(f"torch@2.{minor}.0") for minor in range(15)]
    folder = write_study(tmp_path / "s", items)
    for item in items:
        leave(folder, item, lenet_answers(2))
    found = shown(folder)
    assert "3 more rows are not shown." in found["confusion-1"].note
    assert len(found["mistakes-1"].images) == files.MOST_ROWS
    for limit, value in (("MOST_IMAGE_BYTES", 100), ("MOST_GROUPS", 0)):
        with monkeypatch.context() as patch:
            patch.setattr(exhibits, limit, value)
            (only,) = shown(folder).values()
        assert "pictures of 1 more group are not shown" in only.note


def test_names_from_the_data_are_no_markup_in_pictures(tmp_path: Path) -> None:
    item = of_task(LENET, record("torch"))
    folder = write_study(tmp_path / "s", [item])
    hostile = "<a href='javascript:alert(1)'>x</a>"
    answers = Answers(counts=((1, 0), (0, 1)), unanswered=(0, 0), names=(hostile, "\u202egood"))
    leave(folder, item, Evidence(answers=answers))
    found = shown(folder)["confusion-1"]
    assert found.figure is not None
    assert "<a" not in found.figure.to_json()
    assert "\u202e" not in found.figure.to_json()
