"""What lets ``mlflow.pyfunc.load_model`` load a saved model where this repository isn't installed.

The folder gets the modules that the model's types need, a signature of the whole row, and pinned requirements. The
code is for others: the model server and the pipeline load nothing but the skops file, with their own code.
"""

from __future__ import annotations

import ast
import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from packaging.requirements import Requirement

from include.core.ml import artifact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlflow.models import ModelSignature
    from numpy.typing import NDArray

    from include.core.ml.spec import ModelSpec

ROOT = Path(__file__).parents[3]
PACKAGE = "include"
LIBRARIES = ("mlflow", "scikit-learn", "skops", "pandas", "numpy", "scipy")
TYPES = {"int64": "long", "float64": "double", "str": "string", "bool": "boolean"}
"""MLflow's type of each pandas type in a spec."""


class Classifier:
    """A model of a spec; answers as the model server does.

    Args:
        model: the fitted model.
        dtypes: pandas type of each column of a raw row.
        positive: meaning of 1, the name of the answer.
    """

    def __init__(self, model: Any, dtypes: dict[str, str], positive: str) -> None:
        self._model, self._dtypes, self._positive = model, dtypes, positive

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return whether each row is positive, and the probability; a missing column that may be null is null.

        Raises:
            ValueError: if the model's answer isn't a probability.
        """
        frame = pd.DataFrame(rows).reindex(columns=list(self._dtypes)).astype(self._dtypes)
        probabilities: NDArray[Any] = self._model.predict_proba(frame)[:, 1]
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise ValueError("the model's answers aren't all probabilities")
        return pd.DataFrame({self._positive: probabilities > 0.5, "probability": probabilities})


def save(model: Any, folder: Path, example: pd.DataFrame, trusted: Sequence[str], spec: ModelSpec | None = None) -> str:
    """Write an MLflow model folder that needs nothing of this repository, and return the model file's SHA-256.

    The same fitted model gives the same file.

    Args:
        model: fitted classifier with ``predict_proba``.
        folder: folder to create; must not exist.
        example: a few rows as sent by a caller.
        trusted: names of the types that the model may contain in addition to those that skops trusts.
        spec: the model's spec, which has its signature; without one, it is inferred from the example.

    Raises:
        ArtifactError: naming the types that are missing from ``trusted``.
    """
    from mlflow.models import infer_signature

    content = dump(model, trusted)
    made = signature(spec) if spec else infer_signature(example, model.predict(example))
    write_folder(content, folder, example, trusted, spec, made)
    return artifact.digest(content)


def dump(model: Any, trusted: Sequence[str]) -> bytes:
    """Return a model's file in the skops format; the same fitted model gives the same file.

    Raises:
        ArtifactError: naming the types that are missing from ``trusted``.
    """
    from include.core.ml import skops_io

    content = skops_io.dumps(model)
    untrusted = set(skops_io.get_untrusted_types(data=content)) - set(trusted)
    artifact.require_trusted(sorted(untrusted), "the model to save")
    return artifact.normalised(content)


def write_folder(
    content: bytes,
    folder: Path,
    example: pd.DataFrame,
    trusted: Sequence[str],
    spec: ModelSpec | None,
    made: ModelSignature,
) -> None:
    """Write the MLflow model folder around a model's file; see :func:`save`. The file isn't loaded."""
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        # With an example, MLflow would load the folder's code into this process to try it.
        warnings.filterwarnings("ignore", ".*An input example was not provided")
        mlflow.pyfunc.save_model(
            str(folder),
            loader_module=__name__,
            code_paths=[str(copy_code(trusted, Path(temporary)))],
            signature=made,
            pip_requirements=requirements(),
            model_config=config(spec, trusted, artifact.digest(content)),
        )
    (folder / artifact.MODEL_FILE).write_bytes(content)
    (folder / "input_example.json").write_text(example.to_json(orient="records"))


def _load_pyfunc(path: str, config: dict[str, Any]) -> Any:
    """Return the model in an MLflow model folder; called by ``mlflow.pyfunc.load_model``."""
    file = Path(path) / artifact.MODEL_FILE
    model = artifact.load(file.read_bytes(), config["sha256"], config["trusted"], str(file))
    return Classifier(model, config["dtypes"], config["positive"]) if config["positive"] else model


def config(spec: ModelSpec | None, trusted: Sequence[str], sha256: str) -> dict[str, Any]:
    """Return the configuration of :func:`_load_pyfunc`."""
    return {
        "sha256": sha256,
        "trusted": sorted(trusted),
        "dtypes": dict(spec.dtypes) if spec else {},
        "positive": spec.positive if spec else "",
    }


def signature(spec: ModelSpec) -> ModelSignature:
    """Return the signature of a spec's model: all columns, which of them may be missing, and the answer."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(TYPES[spec.dtypes[name]], name, required=field.is_required())
        for name, field in spec.row.model_fields.items()
    ]
    return ModelSignature(Schema(inputs), Schema([ColSpec("boolean", spec.positive), ColSpec("double", "probability")]))


def copy_code(trusted: Iterable[str], folder: Path) -> Path:
    """Copy the modules that loading a model with these types needs; return the copied package."""
    own = (name.rpartition(".")[0] for name in trusted if name.startswith(f"{PACKAGE}."))
    for file in sorted(files({__name__, *own})):
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    return folder / PACKAGE


def requirements() -> list[str]:
    """Return the libraries and all that they need, each with its installed version."""
    found: dict[str, str] = {}
    pending = list(LIBRARIES)
    while pending:
        name = pending.pop()
        if name in found:
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # of another platform, say
            continue
        needed = map(Requirement, requires(name) or [])
        pending += [item.name.lower().replace("_", "-") for item in needed if not item.marker or item.marker.evaluate()]
    return [f"{name}=={number}" for name, number in sorted(found.items())]


def files(modules: set[str]) -> set[Path]:
    """Return the files of modules, of all that they import of this repository, and of the packages around these."""
    known: set[Path] = set()
    pending = set(modules)
    while pending:
        name = pending.pop()
        parents = name.split(".")
        found = {_file(".".join(parents[:depth])) for depth in range(1, len(parents) + 1)} - {None}
        new = {file for file in found if file} - known
        known |= new
        for file in new:
            pending |= set(_imports(ast.parse(file.read_text())))
    return known


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.exists()), None)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the modules of this repository that are imported, except for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == PACKAGE)
        yield from _imports(node)
