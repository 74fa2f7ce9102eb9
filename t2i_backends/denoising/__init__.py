"""From noise to latents: samplers, noise levels, regions, LoRAs, ControlNets."""
