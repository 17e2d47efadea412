"""Pictures of a Boltzmann machine, kept beside its record: first-layer filters, samples of the chains, reconstructions.

The worker writes the numbers (it has no picture library), the parent the PNG files.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.boltzmann import Joint, Rbm, Stage, State, WakeSleep
from harness.measure.exact import sigmoid
from harness.whole_files import UNREADABLE_ARRAYS

if TYPE_CHECKING:
    from PIL.Image import Image

ARRAYS = "pictures.npz"
SHEETS = ("filters", "samples", "reconstructions")
TILES = 100
PAIRS = 50
GAP = 1
ZOOM = 2

Tiles = NDArray[np.floating]


def tiles(stage: Stage, state: State, features: NDArray[np.float32], test: NDArray[np.float32]) -> dict[str, Tiles]:
    """Return what is shown of a trained stage over the pixels, (N, V) each; nothing for one over another machine.

    `filters` are the first weights, `samples` what the chains would show now (probabilities), `reconstructions` test
    pictures, each followed by what the first hidden layer's means make of it.
    """
    if isinstance(stage, Rbm) and stage.recognise:
        return {}
    names = {Joint: "weight1", WakeSleep: "generation"}
    weight = state[names.get(type(stage), "weight")]
    if isinstance(stage, WakeSleep):  # its features are those of the second layer
        features = sigmoid(test @ state["recognition"] + state["recognition_bias"])
    first = features[:PAIRS, : weight.shape[1]]
    down = 2 if isinstance(stage, Rbm) and stage.doubled == "hidden" else 1
    rebuilt = sigmoid(down * (first @ weight.T + state["visible_bias"]))
    found = {
        "filters": weight.T[:TILES],
        "reconstructions": np.stack([test[: len(rebuilt)], rebuilt], axis=1).reshape(-1, test.shape[1]),
    }
    if "chain" in state:
        found["samples"] = sigmoid(down * (state["chain"][:TILES] @ weight.T + state["visible_bias"]))
    return found


def save(arrays: Path, folder: Path) -> None:
    """Write the pictures of a worker's file as PNG files into `folder`, unless it is there already.

    A worker that was ended while it wrote leaves half of the file: then there are none.
    """
    if not arrays.is_file() or folder.exists():
        return
    try:
        # opened here, since NumPy leaves a damaged file open (seen with 2.4)
        with arrays.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            sheets = {name: sheet(file[name], symmetric=name == "filters") for name in SHEETS if name in file.files}
    except UNREADABLE_ARRAYS:
        return
    folder.mkdir(parents=True)
    for name, image in sheets.items():
        image.save(folder / f"{name}.png")


def sheet(rows: Tiles, *, symmetric: bool) -> "Image":
    """Return square pictures (N, V) side by side, ten in a row.

    Probabilities run from black to white; `symmetric` values from black through grey for zero to white, each picture
    on its own scale.
    """
    from PIL import Image

    side = math.isqrt(rows.shape[1])
    values = rows.reshape(-1, side, side).astype(np.float64)
    if symmetric:
        largest = np.abs(values).max(axis=(1, 2), keepdims=True)
        values = 0.5 + 0.5 * values / np.maximum(largest, 1e-12)
    columns = 10
    height = math.ceil(len(values) / columns)
    canvas = np.full((height * (side + GAP) + GAP, columns * (side + GAP) + GAP), 0.5)
    for number, tile in enumerate(values):
        y, x = (GAP + position * (side + GAP) for position in divmod(number, columns))
        canvas[y : y + side, x : x + side] = tile
    bytes_ = (canvas.clip(0, 1) * 255).round().astype(np.uint8)
    image = Image.fromarray(bytes_)
    return image.resize((image.width * ZOOM, image.height * ZOOM), Image.Resampling.NEAREST)
