"""The names of the samplers, for checks that import no torch; ``table.SAMPLERS`` has them all (a test compares)."""

SAMPLER_NAMES = (
    "euler", "heun", "dpm_2", "dpmpp_2m", "lms", "ipndm", "deis", "ddim", "uni_pc", "uni_pc_bh2", "euler_ancestral",
    "dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_sde_gpu", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu",
    "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "lcm", "res_multistep", "er_sde", "ddpm", "dpm_fast", "dpm_adaptive", "ipndm_v",
    "heunpp2", "gradient_estimation", "seeds_2", "seeds_3", "sa_solver",
)  # fmt: skip
