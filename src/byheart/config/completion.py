"""Tab completion of what `byheart bases` alone takes."""

from pathlib import Path

from byheart.config.folders import conf_folder

OWN = ("models=", "steps=", "sample=")


def words_of_bases(word: str) -> list[str]:
    """Its keys; after `models=`, shipped models and folders for the last name of the list."""
    key, equals, value = word.partition("=")
    if not equals:
        return [each for each in OWN if word and each.startswith(word)]
    if key != "models":
        return []
    start = max(value.rfind(","), value.rfind("[")) + 1
    head, last = value[:start], value[start:]
    shipped = sorted(path.stem for path in (conf_folder() / "model").glob(f"{last}*.yaml"))
    parent, slash, stem = last.rpartition("/")
    beside = Path(f"{parent}{slash}" or ".").expanduser()
    folders = [f"{parent}{slash}{entry.name}/" for entry in sorted(beside.glob(f"{stem}*")) if entry.is_dir()]
    return [f"models={head}{name}" for name in (*shipped, *folders) if " " not in name]
