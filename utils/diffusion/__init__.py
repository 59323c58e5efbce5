"""Diffusion models: a denoiser ``D(x, sigma)``, a choice of ``s(t), sigma(t)``, and short samplers."""
