"""Training of shot models: keyframes in, a model of that change on that shot out."""
