"""The contracts by which a file can be judged: of every table, of every source, and of the domains' files."""

from __future__ import annotations

from pathlib import Path

from include import domains
from include.core.collect import collect_constants, import_modules
from include.core.errors import ConfigurationError
from include.core.formats.contract import FileContract
from include.core.sources.contract import contract_of
from include.core.sources.files import SUFFIX, load_source, load_sources
from include.core.warehouse.dataset import Dataset
from include.datasets import DATASETS
from include.domains.sources import FOLDER


def contract(source: str) -> FileContract:
    """Return the contract of a name of :func:`contracts`, or of the path of a source's YAML.

    Raises:
        ConfigurationError: if there is none, with the names that there are.
        SourceError: if the YAML is invalid.
    """
    if source.endswith((SUFFIX, ".yml")) or "/" in source:
        return contract_of(load_source(Path(source)))
    known = contracts()
    if source not in known and (invalid := FOLDER / f"{source}{SUFFIX}").is_file():
        return contract_of(load_source(invalid))
    if source not in known:
        raise ConfigurationError(
            f"SOURCE={source!r} is neither the path of a source's YAML nor one of: {', '.join(sorted(known))}"
        )
    return known[source]


def contracts() -> dict[str, FileContract]:
    """Return the contracts by name: of a table, of a source, of a file, and of a domain that has one table."""
    tables = {dataset.name: FileContract(dataset, day_in_file=True) for dataset in DATASETS}
    sources = {source.name: contract_of(source) for source in load_sources(FOLDER).sources.values()}
    files = collect_constants(FileContract, import_modules(domains, "contracts"))
    return (
        {name: tables[table] for name, table in _only_tables().items()}
        | tables
        | sources
        | {item.dataset.name: item for item in (*sources.values(), *files)}
    )


def _only_tables() -> dict[str, str]:
    """Return the table of each domain that has one, by the domain's name."""
    modules = {module.__name__.split(".")[-2]: module for module in import_modules(domains, "datasets")}
    tables = {name: collect_constants(Dataset, [module]) for name, module in modules.items()}
    return {name: declared[0].name for name, declared in tables.items() if len(declared) == 1}
