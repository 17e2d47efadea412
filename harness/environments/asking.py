"""What another interpreter says of itself: asked in a process of its own, and told apart from whatever else it prints.

A `sitecustomize`, a wrapper script or a vendor's greeting may write to stdout before and after the answer.
"""

import subprocess

MARK = "evenbench's answer: "
TIMEOUT_S = 60.0


def ask(python: str, imports: str, expression: str, *words: str) -> str | None:
    """Return what an expression comes to in an interpreter, as one line; None where that fails.

    Args:
        python: the interpreter. It is isolated: packages on the user's PYTHONPATH are not its own.
        imports: the modules that the expression needs, as after `import`.
        expression: in Python; its text is to have no line break.
        words: what `sys.argv[1:]` holds.

    Raises:
        OSError, subprocess.SubprocessError: it cannot be started, or does not answer in time.
    """
    code = f"import {imports}; print({MARK!r} + {expression}, flush=True)"
    command = [python, "-I", "-c", code, *words]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False)
    _, mark, answer = done.stdout.decode(errors="replace").rpartition(MARK)
    return answer.splitlines()[0].strip() if mark and not done.returncode else None
