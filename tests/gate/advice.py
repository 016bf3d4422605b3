"""How to fix a DAG file that can't be imported."""

from __future__ import annotations

ADVICE = {
    "NetworkAtParseError": "Nothing may use the network while a DAG file is parsed: move the call into a task.",
    "TimeoutError": "The file never ends, or is far too slow: move loops and long work into a task.",
    "SystemExit": "A DAG file must not end its process: remove sys.exit() and os._exit() from its top level.",
    "AirflowDagCycleException": "Tasks wait for each other in a circle: remove the dependency that closes it.",
    "AirflowRuntimeError": "Variables and connections are read in a task, never at the top level.",
    "SyntaxError": "The file is not valid Python: fix the line above.",
    "IndentationError": "The file is not valid Python: fix the line above.",
    "ModuleNotFoundError": "Correct the module's name, or add its package to requirements.in.",
    "ImportError": "Correct the name: that module has no such thing.",
}


def advise(error: str) -> str:
    """Return what to do about ``error``, the text of an import error or the name of its class."""
    return next(
        (advice for name, advice in ADVICE.items() if name in error),
        "Run the file with python to see the whole traceback, and fix the line above.",
    )
