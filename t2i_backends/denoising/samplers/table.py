"""Every sampler by ComfyUI's name."""

from __future__ import annotations

from collections.abc import Mapping

from imagewright.t2i_backends.denoising.samplers import adams, dpm, multistep, noisy, plain, stochastic, unipc
from imagewright.t2i_backends.denoising.samplers.base import Sampler

SAMPLERS: Mapping[str, Sampler] = {
    "euler": plain.euler,
    "heun": plain.heun,
    "dpm_2": plain.dpm_2,
    "dpmpp_2m": plain.dpmpp_2m,
    "lms": plain.lms,
    "ipndm": plain.ipndm,
    "deis": plain.deis,
    "ddim": plain.euler,
    "uni_pc": unipc.uni_pc,
    "uni_pc_bh2": unipc.uni_pc_bh2,
    "euler_ancestral": noisy.euler_ancestral,
    "dpm_2_ancestral": noisy.dpm_2_ancestral,
    "dpmpp_2s_ancestral": noisy.dpmpp_2s_ancestral,
    "dpmpp_sde": noisy.dpmpp_sde,
    "dpmpp_sde_gpu": noisy.dpmpp_sde,
    "dpmpp_2m_sde": noisy.dpmpp_2m_sde,
    "dpmpp_2m_sde_gpu": noisy.dpmpp_2m_sde,
    "dpmpp_3m_sde": noisy.dpmpp_3m_sde,
    "dpmpp_3m_sde_gpu": noisy.dpmpp_3m_sde,
    "lcm": noisy.lcm,
    "res_multistep": multistep.res_multistep,
    "gradient_estimation": multistep.gradient_estimation,
    "heunpp2": multistep.heunpp2,
    "ipndm_v": multistep.ipndm_v,
    "dpm_fast": dpm.dpm_fast,
    "dpm_adaptive": dpm.dpm_adaptive,
    "ddpm": stochastic.ddpm,
    "er_sde": stochastic.er_sde,
    "seeds_2": stochastic.seeds_2,
    "seeds_3": stochastic.seeds_3,
    "sa_solver": adams.sa_solver,
}
"""ComfyUI's ``ddim`` is ``euler`` over its sigmas; the ``_gpu`` names differ there only in where noise is drawn."""
