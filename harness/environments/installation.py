"""What it took to get a backend here: the environment's stamp, and the lines of code that join it to Evenbench.

All of it was measured once, when the environment was built; an interpreter that the harness did not build has a reason
instead of figures. Of the adapter, lines that hold code are counted, as Python's own tokenizer sees them.
"""

import ast
import hashlib
import io
import tokenize
from importlib.util import find_spec
from pathlib import Path

from harness import registry
from harness.contract import Entry
from harness.environments import machine, managed
from harness.environments.interpreters import Interpreter
from harness.environments.machine import ROOT
from harness.language import Sentence, told
from harness.measure.conditions import here, shell_settings
from harness.record import Installation
from harness.registry import entry, plugins
from harness.spec import Choice
from harness.versions import base

PROVING = ("worker", "parity", "measure", "records", "registry")
"""The packages beside the words of `harness` itself whose code a proof of parity runs."""
NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
)
NOT_THE_ADAPTER = ("mistakes.py",)
"""Files in a backend's folder that are no part of what joins it."""


def installation(backend: str, interpreter: Interpreter) -> Installation:
    """Return the installation that serves a backend."""
    lines = adapter_lines(entry(backend))
    stamp = managed.stamp_of(Path(interpreter.python))
    if stamp is None:
        why = Sentence("not built by the harness, and so not measured: {reason}", reason=interpreter.reason)
        return Installation(**told(why), adapter_lines=lines)
    return Installation(
        install_s=stamp.install_s,
        bytes=stamp.size_bytes,
        packages=len(stamp.versions),
        installer=stamp.installer,
        adapter_lines=lines,
    )


def adapter_lines(described: Entry) -> int | None:
    """Return how many lines of code an adapter has, None where its files are not found."""
    folder = _folder(described)
    if folder is None:
        return None
    files = sorted(path for path in folder.glob("*.py") if path.name not in NOT_THE_ADAPTER)
    return sum(code_lines(path.read_text("utf-8")) for path in files)


def _folder(described: Entry) -> Path | None:
    """Return the folder of an adapter's module, without importing it."""
    module = described.adapter.partition(":")[0]
    if described.path is not None:
        file = Path(described.path, *module.split(".")).with_suffix(".py")
        return file.parent if "." in module and file.is_file() else None  # a lone module's neighbours are strangers
    found = find_spec(module.rpartition(".")[0])
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


def code_lines(text: str) -> int:
    """Return how many lines of a Python file hold code: no blank line, comment or docstring."""
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            held |= set(range(token.start[0], token.end[0] + 1))
    return len(held - _docstring_lines(ast.parse(text)))


def _docstring_lines(module: ast.Module) -> set[int]:
    """Return the lines of all strings that stand alone: docstrings, and those under a constant or a field."""
    return {
        line
        for node in ast.walk(module)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def proof_facts(choice: Choice, interpreter: Interpreter) -> tuple[str, ...]:
    """Return all that can change what a backend computes or says here; nothing where some of it cannot be seen.

    An adapter from elsewhere, and an interpreter whose packages cannot be listed, may change without our noticing.
    """
    packages = installed_packages(interpreter)
    if entry(choice.backend).path is not None or not packages:
        return ()
    where = (choice.backend, choice.device, choice.mode, interpreter.python, packages, code_digest(choice.backend))
    conditions = here(machine.machine(), machine.available_cores(), shell_settings())
    return (*where, *(f"{name}={value}" for name, value in conditions.items()))


def installed_packages(interpreter: Interpreter) -> str:
    """Return a digest of the packages in an interpreter's own environment, or nothing if they cannot be listed."""
    prefix = Path(interpreter.python).parent.parent
    if not (prefix / "pyvenv.cfg").exists():
        return ""
    names = sorted(path.name for path in prefix.glob("lib/python*/site-packages/*.dist-info"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def code_digest(backend: str) -> str:
    """Return a digest of the code that can change what parity finds: a worker's own, and that of the comparison."""
    adapters = [Path("backends", name) for name in sorted({base(backend), registry.reference_name()})]
    if (plugin := plugins.package(entry(backend).adapter)) is not None:
        adapters.append(plugin)  # an absolute path, which stays as it is
    folders = (*(Path("harness", name) for name in PROVING), *adapters)
    files = [*(ROOT / "harness").glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    files += [ROOT / "harness" / "runs" / name for name in ("launch.py", "parity.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()
