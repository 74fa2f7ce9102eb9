"""The tokenizer of a text encoder: its own where it has one, else the one that ships with us.

What ships is the vocabulary of CLIP (OpenAI, MIT) and of T5 1.1 (Google, Apache-2.0), as fast tokenizers, packed.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from imagewright.t2i_backends.families.base import CONFIGS
from imagewright.t2i_backends.models.model_files import ModelPath

_FILES = {"clip_l": "clip", "clip_g": "clip", "t5": "t5"}


def find_tokenizer(source: ModelPath, folder: Path, role: str) -> Any:
    """The tokenizer for the text encoder whose config lies in ``folder``."""
    beside = folder.with_name(folder.name.replace("text_encoder", "tokenizer")) if source.is_pipeline else folder
    if any((beside / name).is_file() for name in ("tokenizer.json", "vocab.json", "spiece.model")):
        return AutoTokenizer.from_pretrained(str(beside), trust_remote_code=False, local_files_only=True)
    return load_tokenizer(_FILES[role], "!" if role == "clip_g" else "")


@lru_cache(maxsize=4)
def load_tokenizer(name: str, pad: str = "") -> PreTrainedTokenizerFast:
    """The tokenizer ``clip`` or ``t5``; ``pad`` replaces CLIP's padding (CLIP-G's is ``!``)."""
    from tokenizers import Tokenizer

    text = gzip.decompress((CONFIGS / "tokenizers" / f"{name}.json.gz").read_bytes()).decode("utf-8")
    found = Tokenizer.from_str(text)
    if name == "t5":
        return PreTrainedTokenizerFast(
            tokenizer_object=found, model_max_length=512, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
        )
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=found, model_max_length=77, pad_token=pad or end, bos_token="<|startoftext|>", eos_token=end,
        unk_token=end,
    )  # fmt: skip
