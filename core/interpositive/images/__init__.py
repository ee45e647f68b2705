"""Plates in and out: sequences, image files, colour, contact sheets. Pixels are (H, W, C) float32,
scene-linear, never clamped.
"""
