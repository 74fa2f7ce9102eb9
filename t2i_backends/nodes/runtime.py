"""What the nodes of one job share: the models, the job's regions and redraw, progress, cancel and facts."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import torch

from imagewright.errors import BadInput, Cancelled
from imagewright.ports import IsCancelled, Job, OnStep, Picture, Step
from imagewright.t2i_backends.denoising import loras
from imagewright.t2i_backends.denoising.lockstep import Joined, Lockstep
from imagewright.t2i_backends.denoising.sampler import Request, sample
from imagewright.t2i_backends.execution.node_cache import NodeCache
from imagewright.t2i_backends.families.base import Net
from imagewright.t2i_backends.models.model_files import ModelFiles, ModelPath, family_of
from imagewright.t2i_backends.models.model_store import ModelStore
from imagewright.t2i_backends.models.spare import describe_spare
from imagewright.t2i_backends.pictures import pixels
from imagewright.t2i_backends.pictures.pixels import Vae
from imagewright.t2i_backends.pictures.previews import Previews
from imagewright.t2i_backends.pictures.tiles import decode_in_tiles
from imagewright.t2i_backends.text.encode import encode_texts, texts_for, zero_out
from imagewright.t2i_backends.text.inversions import Inversion, find_inversion
from imagewright.t2i_backends.text.words import list_inversions
from imagewright.t2i_backends.values.handles import (
    ClipHandle,
    Conditioning,
    Images,
    Latent,
    Loras,
    ModelHandle,
    VaeHandle,
)
from imagewright.t2i_backends.values.rules import Rules, parse_rules


@dataclass
class Runtime:
    """One job in progress."""

    job: Job
    files: ModelFiles
    store: ModelStore
    cache: NodeCache
    on_step: OnStep
    is_cancelled: IsCancelled
    previews: Previews
    planned_steps: int = 0
    """Steps of all samplers of the flow that have not begun."""
    vae: VaeHandle | None = None
    """The VAE that the flow decodes with; previews and redraws use it."""
    facts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    models: dict[str, ModelPath] = field(default_factory=dict)
    family: str = ""
    """The family of the flow's first diffusion model."""
    done_steps: int = 0
    lockstep: Lockstep | None = None
    """What batches this job's passes with those of other jobs; None for a job on its own."""

    @property
    def dtype_name(self) -> str:
        """``float32`` or ``bfloat16``."""
        return str(self.store.dtype).removeprefix("torch.")

    @property
    def device_name(self) -> str:
        """``cpu``, ``cuda``…"""
        return str(self.store.device)

    @property
    def beside(self) -> str:
        """A hash of what the job states beside its graph; empty for a plain job."""
        job = self.job
        if not job.regions and job.redraw is None:
            return ""
        parts: list[object] = [job.regions, job.region_share]
        if job.redraw is not None:
            image = job.redraw.image
            parts += [job.redraw.regions, job.redraw.strength, image.mode, image.size, image.tobytes()]
            parts += [] if job.redraw.mask is None else [job.redraw.mask.convert("L").tobytes()]
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def cell_pixels(self) -> int:
        """Pixels of one latent cell of the flow's VAE."""
        return self.load_vae(self.vae).scale if self.vae is not None else 8

    @cached_property
    def rules(self) -> Rules:
        """The rules that this job is drawn by."""
        return parse_rules(self.job.rules)

    def note(self, text: str) -> None:
        """Record something that was done otherwise than the flow says, once."""
        if text not in self.notes:
            self.notes.append(text)

    def restart(self) -> None:
        """Forget the progress of a try that failed; what nodes have finished stays cached."""
        self.done_steps = 0

    def find(self, kind: str, name: str) -> ModelPath:
        """A model file of the flow.

        Raises:
            BadInput: it is not there, or its name leaves the model roots.
        """
        found = self.files.find(kind, name)
        if found is None:
            raise BadInput(f"the model {name!r} is not here", f"put it at {self.files.place(kind, name)}")
        self.models[name] = found
        if said := describe_spare(kind, found):
            self.note(said)
        if kind in ("checkpoints", "diffusion_models"):
            self.family = self.family or family_of(found)
        return found

    def read_input(self, name: str) -> Picture:
        """The picture called ``name``: one that the job brings, else one of the input folder.

        Raises:
            BadInput: it is not there, or is no picture.
        """
        from imagewright.t2i_backends.pictures.inputs import read_picture

        return self.job.pictures.get(name) or read_picture(self.find("input", name).path)

    def stamp_file(self, kind: str, name: str) -> str:
        """What changes when a file that a node names does; the name of a picture that the job brings says it."""
        return name if kind == "input" and name in self.job.pictures else self.find(kind, name).stamp

    def stop_if_cancelled(self) -> None:
        """Raise ``Cancelled`` when the person stopped the run."""
        if self.is_cancelled():
            raise Cancelled("the drawing was stopped")

    def encode(self, clip: ClipHandle, text: str | Mapping[str, str | None]) -> Conditioning:
        """``text``, or one text for each encoder, through the text encoders; each text is encoded once."""
        texts = texts_for(text) if isinstance(text, str) else text
        inversions = self._find_inversions(texts)
        named = [source.stamp for source in clip.sources] + [lora.stamp for lora, _ in clip.loras]
        named += [found.file.stamp if found.file else found.problem for found in inversions.values()]
        parts = [named, clip.family, clip.stop, [s for _, s in clip.loras], sorted(texts.items()), str(self.rules)]
        key = hashlib.sha256(repr(parts).encode()).hexdigest()
        found = self.cache.get(key)
        if found is None:
            encoders = self.store.text(clip)
            with loras.wear_on_text(encoders, clip.loras):
                found = encode_texts(encoders, clip, texts, self.rules, inversions)
            self.cache.put(key, found)
        for remark in found.remarks:
            self.note(remark)
        return cast(Conditioning, found)

    def _find_inversions(self, texts: Mapping[str, str | None]) -> dict[str, Inversion]:
        """The textual inversions that the texts name, by what they type."""
        if self.rules.is_before:
            return {}
        typed = dict.fromkeys(name for text in texts.values() if text for name in list_inversions(text))
        found = {name: find_inversion(self.files, name) for name in typed}
        self.models |= {inversion.name: inversion.file for inversion in found.values() if inversion.file is not None}
        return found

    def zero_out(self, conditioning: Conditioning) -> Conditioning:
        """Text and pooled vector set to zero."""
        return zero_out(conditioning)

    def load_net(self, handle: ModelHandle) -> Net:
        """The loaded diffusion model, without its LoRAs."""
        net = self.store.net(handle)
        return net if self.lockstep is None else replace(net, model=Joined(net.model, self.lockstep))

    @contextlib.contextmanager
    def adapt(self, net: Net, wanted: Loras) -> Iterator[None]:
        """``net`` with LoRAs on it inside the block; see ``loras.wear``."""
        if self.lockstep is None:
            with loras.wear(net, wanted):
                yield
        else:
            bare = replace(net, model=net.model.bare)
            with self.lockstep.together(bare.model, wanted, lambda: loras.wear(bare, wanted)):
                yield

    def load_vae(self, handle: VaeHandle) -> Vae:
        """The loaded VAE."""
        vae = self.store.vae(handle, self.family)
        return vae if self.lockstep is None else replace(vae, model=Joined(vae.model, self.lockstep))

    def decode(self, latent: Latent, handle: VaeHandle, tiles: tuple[int, int] | None = None) -> Images:
        """Latents to pictures, one after the other; ``tiles`` are the pixels of a tile and of what two share.

        Raises:
            BadInput: the VAE belongs to another model.
        """
        vae = self.load_vae(handle)
        samples = cast(torch.Tensor, latent.samples)
        if (samples.shape[2] * vae.scale, samples.shape[1]) != (latent.height, vae.channels):
            raise BadInput(
                f"the VAE {handle.source.path.name!r} does not belong to the model", "use the model's own VAE"
            )
        if tiles is not None:
            return tuple(decode_in_tiles(vae, one[None], *tiles) for one in samples)
        return tuple(pixels.decode(vae, one[None]) for one in samples)

    def encode_pictures(self, images: Sequence[pixels.Pixels], handle: VaeHandle | None = None) -> torch.Tensor:
        """Pictures to latents ``(count, C, h, w)`` with a VAE, the flow's own unless one is given."""
        handle = handle or self.vae
        if handle is None:
            raise BadInput("a redraw needs a flow that decodes with a VAE", "choose another flow")
        vae = self.load_vae(handle)
        return torch.cat([pixels.encode_picture(vae, image, self.rules.is_before) for image in images])

    def sample(self, asked: Request) -> Latent:
        """Denoised latents; see ``sampler.sample``."""
        return sample(self, asked)

    def progress(self, steps: int, total: int) -> Callable[[int, Any, Any], None]:
        """Reports each step of one sampler, with a preview now and then, and stops between steps when cancelled.

        ``steps`` is what the flow says, ``total`` what the schedule has.
        """
        self.stop_if_cancelled()
        self.planned_steps = max(self.planned_steps - steps, 0)
        before = self.done_steps
        self.done_steps += total
        all_steps = self.done_steps + self.planned_steps

        def on_latent(step: int, x: torch.Tensor, x0: torch.Tensor) -> None:
            preview = None
            if step < total and self.vae is not None and self.previews.due():
                preview = self.previews.draw(self.load_vae(self.vae), x0)
            self.on_step(Step(before + step, all_steps, preview))
            if step < total:
                self.stop_if_cancelled()

        return on_latent
