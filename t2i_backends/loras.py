"""LoRAs on a loaded transformer for the length of one job: put on, weighted, and taken off again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from diffusers import FluxPipeline

from imagewright.errors import BadInput
from imagewright.t2i_backends.model_files import ModelPath
from imagewright.t2i_backends.model_store import quiet

_OTHER_MODEL = "use a LoRA of this base model"


@contextlib.contextmanager
def applied(transformer: Any, loras: Sequence[tuple[ModelPath, float]]) -> Iterator[None]:
    """The transformer with ``loras`` inside the block; outside it the base weights, untouched, are all there is.

    Nothing is fused, so that the base model draws exactly what it drew before. A LoRA of strength 0 is left out, and
    its text encoder part, if it has one, is not used (LoraLoaderModelOnly).

    Raises:
        BadInput: a file is no LoRA, or one of another model.
    """
    wanted = [(lora, strength) for lora, strength in loras if strength]
    if not wanted:
        yield
        return
    try:
        with quiet():
            names = [_put_on(transformer, lora, f"lora_{i}") for i, (lora, _) in enumerate(wanted)]
            transformer.set_adapters(names, [strength for _, strength in wanted])
        yield
    finally:
        with quiet():
            transformer.unload_lora()


def _put_on(transformer: Any, lora: ModelPath, name: str) -> str:
    """Load one file as adapter ``name``; the pipeline's own reader knows the formats of kohya, xlabs and others.

    Files that also replace norm layers or widen inputs (control LoRAs) are refused: those changes would stay behind.
    """
    file = lora.path
    try:
        weights, alphas, metadata = FluxPipeline.lora_state_dict(
            str(file.parent), weight_name=file.name, return_alphas=True, return_lora_metadata=True,
            local_files_only=True, use_safetensors=True,
        )  # fmt: skip
        mine = {key: value for key, value in weights.items() if key.startswith("transformer.") and "lora" in key}
        if not mine or any(key.startswith("transformer.") and "lora" not in key for key in weights):
            raise BadInput(f"the LoRA {file.name!r} holds no plain LoRA weights for FLUX", _OTHER_MODEL)
        FluxPipeline.load_lora_into_transformer(mine, alphas, transformer, adapter_name=name, metadata=metadata)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, IndexError, AttributeError) as error:
        detail = next(iter(str(error).strip().splitlines()), type(error).__name__)[:160]
        raise BadInput(f"the LoRA {file.name!r} does not fit the model: {detail}", _OTHER_MODEL) from error
    if name not in getattr(transformer, "peft_config", {}):
        raise BadInput(f"the LoRA {file.name!r} fits no layer of this model", _OTHER_MODEL)
    return name
