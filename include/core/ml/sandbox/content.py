"""What a sandboxed process and its caller exchange: arrays, bytes and JSON, never pickles."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pandas as pd

Content = dict[str, Any]
"""Arrays, bytes and data frames by name; everything else must be JSON."""

KINDS = {"bytes": bytes, "array": np.ndarray, "frame": pd.DataFrame}


def encode(content: Content) -> bytes:
    """Return the content in NumPy's ``npz`` format."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    values: dict[str, Any] = {}
    for name, value in content.items():
        kind = next((kind for kind, types in KINDS.items() if isinstance(value, types)), None)
        if kind is None:
            values[name] = value
        elif kind == "array":
            arrays[f"array {name}"] = value
        else:
            arrays[f"{kind} {name}"] = np.frombuffer(value if kind == "bytes" else _parquet(value), dtype=np.uint8)
    arrays["values"] = np.frombuffer(json.dumps(values).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def decode(content: bytes) -> Content:
    """Return what :func:`encode` was given."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        decoded: Content = json.loads(arrays["values"].tobytes())
        for key in arrays.files:
            kind, _, name = key.partition(" ")
            if kind == "array":
                decoded[name] = arrays[key]
            elif kind == "bytes":
                decoded[name] = arrays[key].tobytes()
            elif kind == "frame":
                decoded[name] = pd.read_parquet(io.BytesIO(arrays[key].tobytes()))
    return decoded


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.reset_index(drop=True).to_parquet(buffer, index=False)
    return buffer.getvalue()
