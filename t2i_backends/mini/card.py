"""Writes what ships beside mini's weights: the model card and the statement of its world."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from imagewright.t2i_backends.mini import sizes
from imagewright.t2i_backends.mini.captions import COLOUR_WORDS, LARGE, PATTERN_WORDS, SMALL, SYNONYMS, vocabulary
from imagewright.t2i_backends.mini.limits import WORLD_FILE
from imagewright.t2i_backends.mini.render import SIZE
from imagewright.t2i_backends.mini.world import (
    CLASHES,
    COLOURS,
    MOST_THINGS,
    PAPERS,
    PATTERNS,
    RELATIONS,
    SHAPES,
    STYLES,
    USUAL_COLOURS,
)
from imagewright.worlds import World

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
    "a red circle left of a blue star on a white background", negative_prompt="", height={side}, width={side},
    max_sequence_length={length}, true_cfg_scale={scale}, num_inference_steps={steps},
).images[0]
```

- **World**: {shapes}; {colours}; one to {most} things, of up to four kinds; \
left, right, above, below; {papers} backgrounds
  ({colours}); drawn {styles}. {side} × {side} pixels.
- **Text**: lower-case words of a closed vocabulary of {words}; {length} tokens with start and end; the negative prompt
  is empty in training. Anything else is `<unk>`.
- **Regions**: part of the training used region prompts under imagewright's attention mask
  (`t2i_backends/denoising/attention_masks.py`).
- **Not for**: anything outside that world. `world.json` states it, and imagewright says so before drawing.
- **Where things stand**: without boxes in rows, as its captions were learned from things set out so: two
  side by side, the first named first, others row by row, relations as they say; of the usual size where the caption
  says nothing of it. With region prompts anywhere, and of any size.
- **Made by** `make mini` (seeded, resumable) on two cores: text encoders first, on reading captions, then the
  whole on pictures, from single things to many; region prompts in one batch of six. The plan changed on the way. Until
  step 16,000 things stood anywhere, and two of three counts and four of five pairs came out wrong; in rows nine of ten
  counts (of 20 prompts) were right after 1,300 steps more. From step 17,600 what is named first stands first. At 19,700
  the T5 encoder turned out not to tell "a left of b" from "b left of a"; asked at each noun where its things stand, it
  learned that alone in 2,500 short steps, and the model followed within 1,100. Three wordings of relations joined the
  captions at 24,000. Then more pairs, a heavier map loss, and from 24,000 to 28,000 a falling rate at lower noise. From
  28,000 to 30,400 region prompts came in four batches of ten, with things out of their rows and up to five of them.
  Until then captions left sizes open, and one outlined thing in five came out broken: a blur of outlines of two sizes
  is neither. From 30,400 to 34,400 sizes were usual unless told, with more outlines, boats and cars. The last 1,500
  steps had leads and styles in loose words too: "i would like to see a heart" used to bring two. A fresh run with the
  plan as it is now has not been made.
  **Measured by** `make mini-report`.
"""
_SIZES = (*SMALL, *LARGE, "single", "plain")


def _statement() -> World:
    """What mini says of its world."""
    nouns = [noun for names in SYNONYMS.values() for noun in names]
    colours = [word for words in COLOUR_WORDS.values() for word in words]
    papers = [word for words in PATTERN_WORDS.values() for word in words]
    return World(
        objects=tuple(dict.fromkeys((*SHAPES, *nouns))),
        attributes=tuple(dict.fromkeys((*COLOURS, *colours, *_SIZES))),
        backgrounds=tuple(dict.fromkeys((*COLOURS, "grey", *colours, "background", "plain", *papers))),
        side=SIZE,
        most_things=MOST_THINGS,
        filler=tuple(sorted({*vocabulary(), *FILLER})),
        # Untrained models obey regions early and refine without them; mini learned them to the last step.
        region_share=1.0,
        things={shape: _others(shape, SYNONYMS) for shape in SHAPES},
        colours={colour: _others(colour, COLOUR_WORDS) for colour in COLOURS},
        patterns={pattern: _others(pattern, PATTERN_WORDS) for pattern in PATTERNS},
        styles=STYLES,
        relations=(*RELATIONS, "near"),
        usual_colours=USUAL_COLOURS,
        papers=PAPERS,
        clashes=CLASHES,
    )


def _others(name: str, table: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The other words for ``name``, each once."""
    return tuple(dict.fromkeys(word for word in table.get(name, ()) if word != name))


def _card_text() -> str:
    """The model card."""
    return CARD.format(
        shapes=", ".join(SHAPES),
        colours=", ".join(COLOURS),
        most=MOST_THINGS,
        papers=", ".join(PATTERNS),
        styles=", ".join(STYLES),
        words=len(vocabulary()),
        length=sizes.PROMPT_TOKENS,
        steps=sizes.CALL_STEPS,
        scale=sizes.CALL_GUIDANCE,
        side=SIZE,
    )


def write(folder: Path) -> None:
    """Write ``README.md`` and ``world.json`` into ``folder``."""
    (folder / "README.md").write_text(_card_text(), "utf-8")
    statement = _statement().model_dump(mode="json")
    (folder / WORLD_FILE).write_text(json.dumps(statement, indent=1) + "\n", "utf-8")
