"""A model in numbers, for an estimate: by its files, by what the hub says, or by the size in its name. No torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byheart.model.adapters.adapter import Adapter, Lora
from byheart.model.base_model import BaseModel
from byheart.model.embedded import EMBEDDED, find_embedded
from byheart.model.files.location import locate
from byheart.model.files.shapes import named_size, number, usual_config, usual_shapes
from byheart.model.files.weights import Shapes

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

FILES, CONFIG, NAME = "files", "config", "name"  # what the sizes were read from, the surest first
ATTENTION = re.compile(r"attn|attention", re.I)
BITS = {"nf4": 4.5, "int8": 8.0}  # of a quantized weight, with its scales


@dataclass(frozen=True)
class ModelSizes:
    """`layers`: the matrices within layers, (out, in) or (experts, out, in); `chosen`: the experts that a token passes."""

    parameters: int
    depth: int
    width: int
    vocabulary: int
    heads: int
    layers: Mapping[str, tuple[int, ...]]
    chosen: float = 1.0  # share of the experts
    read_from: str = FILES

    @property
    def active(self) -> float:
        """Weights of the layers that each token is multiplied by."""
        return sum(prod(shape) * (self.chosen if len(shape) == 3 else 1) for shape in self.layers.values())

    @property
    def span(self) -> float:
        """Widths of what goes into and comes out of the matrices of one layer, together."""
        shares = (sum(s[-2:]) * (s[0] * self.chosen if len(s) == 3 else 1) for s in self.layers.values())
        return sum(shares) / max(1, self.depth)

    def trained(self, adapter: Adapter) -> int:
        """Parameters that an adapter trains."""
        if not isinstance(adapter, Lora):
            return self.parameters
        return sum(
            adapter.rank * (s[0] if len(s) == 3 else 1) * sum(s[-2:])
            for name, s in self.layers.items()
            if _is_target(name, s, adapter)
        )

    def weight_bytes(self, itemsize: int, quantization: str | None) -> int:
        linear = sum(map(prod, self.layers.values())) if quantization else 0
        return int((self.parameters - linear) * itemsize + linear * BITS.get(quantization or "", 0) / 8)


def sizes_of(model: BaseModel) -> ModelSizes | None:
    """None where neither a file, nor the hub, nor its name tells."""
    files, parameters = model.files(), None
    config, shapes, read_from = files.config, files.shapes, FILES
    if not config and (hub := model.hub):
        config, parameters, read_from = hub.config, hub.parameters, CONFIG
    if not shapes or config.get("quantization_config"):
        shapes = usual_shapes(config)
    if not shapes:
        parameters, read_from = named_size(model.path), NAME
        if parameters is None:
            return None
        config = usual_config(parameters)
        shapes = usual_shapes(config)
    return of_shapes(shapes, config, parameters, read_from)


def of_model(model: "PreTrainedModel | PeftModel") -> ModelSizes | None:
    """Of a model in memory, without its adapter."""
    loaded: Any = model
    config = loaded.config.to_dict()
    own = {
        name.replace(".base_layer", ""): tuple(each.shape)
        for name, each in loaded.named_parameters()
        if ".lora_" not in name
    }
    shapes = usual_shapes(config) if config.get("quantization_config") else own
    return of_shapes(shapes, config) if shapes else None


def of_shapes(
    shapes: Shapes, config: dict[str, Any], parameters: int | None = None, read_from: str = FILES
) -> ModelSizes | None:
    """None where no tensor is in a layer."""
    within = {name: shape for name, shape in shapes.items() if re.search(r"\.\d+\.", name)}
    language = {name: shape for name, shape in within.items() if "language_model" in name}  # beside towers for pictures
    layers = {
        name: shape
        for name, shape in (language or within).items()
        if 2 <= len(shape) <= 3 and not name.endswith("bias")
    }
    if not layers:
        return None
    outside = [shape for name, shape in shapes.items() if name not in layers and len(shape) == 2]
    found = [int(each[1]) for name in layers for each in [re.search(r"\.(\d+)\.", name)] if each]
    widest = max(outside, default=(0, 0), key=prod)
    experts, chosen = number(config, "experts"), number(config, "chosen")
    counted = sum(map(prod, shapes.values()))
    if number(config, "vocabulary") and not config.get("tie_word_embeddings", True) and len(outside) < 2:
        counted += prod(widest)
    return ModelSizes(
        parameters or counted,
        max(found) + 1,
        number(config, "width") or min(widest),
        number(config, "vocabulary") or max(widest),
        number(config, "heads") or 1,
        layers,
        chosen / experts if experts and chosen else 1.0,
        read_from,
    )


def download_bytes(model: BaseModel, sizes: ModelSizes | None) -> int | None:
    """What `load` will download; 0 where the model is on this machine, None where it is not known."""
    if model.path == EMBEDDED and find_embedded():
        return 0
    place = locate(model.path if model.path != EMBEDDED else str(model.hub_id), model.revision)
    if place.folder is not None and (not place.may_lack or model.files().shapes or _has_pickles(place.folder)):
        return 0
    hub = model.hub
    if hub is not None and hub.bytes is not None:
        return hub.bytes
    return 2 * sizes.parameters if sizes else None  # almost all are stored in bfloat16


def _has_pickles(folder: Path) -> bool:
    return any(folder.glob("pytorch_model*"))


def _is_target(name: str, shape: tuple[int, ...], adapter: Lora) -> bool:
    """As far as names tell: attention and MLP are asked of the loaded model."""
    if len(shape) == 3:
        return adapter.experts
    module = name.removesuffix(".weight")
    if adapter.targets == "all-linear":
        return True
    if adapter.targets in ("attention", "mlp"):
        return bool(ATTENTION.search(module)) == (adapter.targets == "attention")
    if isinstance(adapter.targets, str):
        return bool(re.fullmatch(adapter.targets, module))
    return any(f".{module}".endswith(f".{target}") for target in adapter.targets)
