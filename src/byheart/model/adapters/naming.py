"""What a saved adapter says of its base model: the hub's name where it has one, for a folder here says nothing elsewhere."""

import json
from pathlib import Path

from byheart.model.files.location import hub_name
from byheart.store import write_text


def name_base(folder: Path) -> None:
    """Changes what peft has written: the base's hub id instead of a folder of this machine, and no empty model card.

    A base that is in a folder of the user's keeps its absolute path, where stock peft finds it on this machine.
    """
    file = folder / "adapter_config.json"
    if not file.is_file():
        return  # a whole model
    (folder / "README.md").unlink(missing_ok=True)  # placeholders, and that path again
    settings = json.loads(file.read_text(encoding="utf-8"))
    if named := hub_name(str(settings["base_model_name_or_path"] or "")):
        settings["base_model_name_or_path"] = named.id
        settings["revision"] = settings.get("revision") or named.revision
        write_text(file, json.dumps(settings, indent=2, sort_keys=True))
