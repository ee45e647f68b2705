"""From a plate to its passes: prediction, upsampling, the shot's light, steadiness, adaptation, hints,
probes."""
