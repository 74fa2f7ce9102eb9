"""Writes what ships beside mini's weights: the model card and the statement of its world."""

from __future__ import annotations

import json
from pathlib import Path

from imagewright.t2i_backends.mini.limits import WORLD_FILE, World
from imagewright.t2i_backends.mini.world import BACKGROUNDS, COLOURS, SHAPES, vocabulary

#: Words that ask for nothing that mini would have to draw, beside those of its captions.
FILLER = (
    "no without free any not none nothing else only just please make create generate render paint sketch i want would "
    "like we need give us it its which that those these this has have containing contains consisting behind both each "
    "other another all same and/or is are be at in to from by as into onto upon s an the my your our some few several "
    "couple half four 4 side edge corner centered centred placed positioned standing sitting located colored coloured "
    "color colour shape shapes object objects thing things simple clean minimal flat vector icon graphic digital art "
    "artwork illustration picture photo image drawing clipart style 2d realistic very really bright solid blank empty "
    "canvas page paper arranged row line together touching overlapping separate plain backdrop light first second one "
    "left-hand right-hand "
).split()

STEPS = 20
SCALE = 5.0
"""The steps and the guidance of the card's call; `make mini-report` measures with them."""

CARD = """---
license: apache-2.0
pipeline_tag: text-to-image
library_name: diffusers
---
# mini

A FLUX-architecture text-to-image model of a very small world, trained from nothing on pictures that the repository
draws itself. It exists so that imagewright's selection, layout, critic and repair can be run and measured on a laptop
with no GPU, no key and no download.

```python
from diffusers import FluxPipeline
pipe = FluxPipeline.from_pretrained("t2i_backends/mini/weights/pipeline")
image = pipe(
    "a red circle left of a blue star on a white background", negative_prompt="", height=64, width=64,
    max_sequence_length={length}, true_cfg_scale={scale}, num_inference_steps={steps},
).images[0]
```

- **World**: {shapes}; {colours}; one to four things, of one or two kinds; left, right, above, below; plain
  backgrounds ({backgrounds}). 64 × 64 pixels.
- **Text**: lower-case words of a closed vocabulary of {words}; {length} tokens with start and end; the negative prompt
  is empty in training. Anything else is `<unk>`.
- **Regions**: the last part of the training used region prompts under imagewright's attention mask
  (`t2i_backends/regional/masks.py`).
- **Not for**: anything outside that world. `world.json` states it, and imagewright says so before drawing.
- **Made by** `make mini` (seeded, resumable). The weights that ship came out of that script in one afternoon on two
  cores, restarted from its checkpoint several times: the step count and with it the rate's schedule changed at each,
  the shift toward noise, the one-thing batches and the region prompts came in at step 2,000, the decay and the share
  of one-thing batches of `train.py` at step 3,400 of 4,400. A fresh run gives a model like this one, not this one.
  **Measured by** `make mini-report`.
"""


def world() -> World:
    """The statement of mini's world."""
    return World(
        objects=SHAPES,
        attributes=(*COLOURS, "small", "little", "tiny", "big", "large", "huge", "single", "plain"),
        backgrounds=(*BACKGROUNDS, "grey", "background", "plain"),
        side=64,
        most_things=4,
        filler=tuple(sorted({*vocabulary(), *FILLER})),
    )


def write(folder: Path, length: int) -> None:
    """Write ``README.md`` and ``world.json`` into ``folder``."""
    text = CARD.format(
        shapes=", ".join(SHAPES), colours=", ".join(COLOURS), backgrounds=", ".join(BACKGROUNDS),
        words=len(vocabulary()), length=length, steps=STEPS, scale=SCALE,
    )  # fmt: skip
    (folder / "README.md").write_text(text, "utf-8")
    statement = world().model_dump(mode="json")
    (folder / WORLD_FILE).write_text(json.dumps(statement, indent=1) + "\n", "utf-8")
