"""The largest errors of many proofs as Markdown: by task, and by framework and mode.

for task in $(TASKS); do evenbench parity --fresh --json --task $task > proofs/$task.json; done
.venv/bin/python -m benchmarks.parity_table proofs/*.json
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from harness.parity.levels import LEVELS


def largest(verdicts: list[dict[str, Any]], level: str) -> str:
    """Return the largest error of a level, a dash where nobody has it; in bold where one was refused."""
    found = [v["levels"][level] for v in verdicts if level in v["levels"]]
    if not found:
        return "—"
    refused = any(not one["passed"] for one in found)
    if any(one["error"] is None for one in found):
        text = "differs"
    else:
        error = max(one["error"] for one in found)
        text = "0" if error == 0 else f"{error:.0e}"
    return f"**{text}**" if refused else text


def table(head: str, groups: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return a table with a row for every group of proofs."""
    levels = [level for level in LEVELS if any(level in v["levels"] for own in groups.values() for v in own)]
    lines = ["| " + " | ".join((head, *levels, "passed")) + " |", "|---" * (len(levels) + 2) + "|"]
    for name, own in groups.items():
        passed = f"{sum(v['passed'] for v in own)} of {len(own)}"
        lines.append("| " + " | ".join((name, *(largest(own, level) for level in levels), passed)) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="what `evenbench parity --json` printed")
    verdicts = [verdict for file in parser.parse_args().files for verdict in json.loads(file.read_text("utf-8"))]
    by_task, by_mode = defaultdict(list), defaultdict(list)
    for verdict in verdicts:
        by_task[verdict["task"]].append(verdict)
        by_mode[f"{verdict['backend']} {verdict['mode']}"].append(verdict)
    print("\n".join([*table("task", by_task), "", *table("backend", by_mode)]))


if __name__ == "__main__":
    main()
