"""``python -m include.core.ml.sandbox MODULE:FUNCTION MEMORY CPU``: the sandboxed process; see the package."""

from __future__ import annotations

import os
import resource
import sys
from pkgutil import resolve_name

from include.core.ml.sandbox.confinement import confine
from include.core.ml.sandbox.content import decode, encode


def main(name: str, memory: str, cpu: str) -> None:
    """Read the content from the standard input, run the function, and write its result to the standard output."""
    output = os.dup(1)
    os.dup2(2, 1)  # what a library prints isn't part of the result
    job = resolve_name(name)
    content = decode(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu), int(cpu) + 5))
    confine(int(memory))
    try:
        result = job(content)
    except MemoryError:
        result = {"error": f"it takes more than {int(memory) // 1024**2} MiB of memory"}
    except Exception as error:  # the caller raises it
        result = {"error": f"{type(error).__name__}: {error}"}
    with os.fdopen(output, "wb") as stream:
        stream.write(encode(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
