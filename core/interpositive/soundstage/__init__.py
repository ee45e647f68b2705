"""The virtual stage: procedural scenes with known light, shape and colour, rendered in scene-linear
ACEScg."""
