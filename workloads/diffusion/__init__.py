"""Workloads on Stable Diffusion pipelines: train a LoRA on a few photos, generate pictures with it."""
