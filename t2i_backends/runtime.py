"""What the nodes of one job share: the models, the job's regions and redraw, progress, cancel and facts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from PIL import Image

from imagewright.errors import BadInput, Cancelled
from imagewright.ports import IsCancelled, Job, OnStep, Step
from imagewright.t2i_backends import encoding, flux_sampler
from imagewright.t2i_backends.handles import ClipHandle, Conditioning, Latent, VaeHandle
from imagewright.t2i_backends.model_files import ModelFiles, ModelPath
from imagewright.t2i_backends.model_store import ModelStore
from imagewright.t2i_backends.node_cache import NodeCache
from imagewright.t2i_backends.previews import Previews


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
    done_steps: int = 0

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
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def cell_pixels(self) -> int:
        """Pixels of one latent cell of the flow's VAE."""
        return int(self.store.vae(self.vae).vae_scale_factor) if self.vae is not None else 8

    def note(self, text: str) -> None:
        """Record something that was done otherwise than the flow says."""
        self.notes.append(text)

    def find(self, kind: str, name: str) -> ModelPath:
        """A model file of the flow.

        Raises:
            BadInput: it is not there, or its name leaves the model roots.
        """
        found = self.files.find(kind, name)
        if found is None:
            raise BadInput(f"the model {name!r} is not here", f"put it at {self.files.place(kind, name)}")
        self.models[name] = found
        return found

    def stop_if_cancelled(self) -> None:
        """Raise ``Cancelled`` when the person stopped the run."""
        if self.is_cancelled():
            raise Cancelled("the drawing was stopped")

    def encode(self, clip: ClipHandle, text: str) -> Conditioning:
        """``text`` through the text encoders; each text is encoded once."""
        key = hashlib.sha256(repr([*(source.stamp for source in clip.sources), text]).encode()).hexdigest()
        found = self.cache.get(key)
        if found is None:
            found = encoding.encode_text(self.store.text(clip), clip, text)
            self.cache.put(key, found)
        return cast(Conditioning, found)

    def zero_out(self, conditioning: Conditioning) -> Conditioning:
        """Text and pooled vector set to zero."""
        return encoding.zero_out(conditioning)

    def decode(self, latent: Latent, vae: VaeHandle) -> Image.Image:
        """Latents to a picture.

        Raises:
            BadInput: the VAE belongs to another model.
        """
        pipe = self.store.vae(vae)
        samples = cast(torch.Tensor, latent.samples)
        found = (samples.shape[2] * pipe.vae_scale_factor, samples.shape[1])
        if found != (latent.height, pipe.vae.config.latent_channels):
            raise BadInput(f"the VAE {vae.source.path.name!r} does not belong to the model", "use the model's own VAE")
        return encoding.decode(pipe, samples)

    def encode_picture(self, image: Image.Image) -> torch.Tensor:
        """A picture to latents ``(1, C, h, w)`` with the flow's own VAE."""
        if self.vae is None:
            raise BadInput("a redraw needs a flow that decodes with a VAE", "choose another flow")
        return encoding.encode_image(self.store.vae(self.vae), image)

    def sample(self, **inputs: Any) -> Latent:
        """A KSampler; see ``flux_sampler.sample``."""
        return flux_sampler.sample(self, flux_sampler.Inputs(**inputs))

    def progress(self, steps: int, total: int, cells: tuple[int, int]) -> Callable[[int, Any, Any], None]:
        """Reports each step of one sampler, with a preview now and then, and stops between steps when cancelled.

        ``steps`` is what the flow says, ``total`` what the schedule has, ``cells`` the latent's rows and columns.
        """
        self.stop_if_cancelled()
        self.planned_steps = max(self.planned_steps - steps, 0)
        before = self.done_steps
        self.done_steps += total
        all_steps = self.done_steps + self.planned_steps

        def on_latent(step: int, x: torch.Tensor, x0: torch.Tensor) -> None:
            preview = None
            if step < total and self.vae is not None and self.previews.due():
                preview = self.previews.draw(self.store.vae(self.vae), flux_sampler.unpack(x0, *cells))
            self.on_step(Step(before + step, all_steps, preview))
            if step < total:
                self.stop_if_cancelled()

        return on_latent
