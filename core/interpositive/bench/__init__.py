"""Measuring the engine on footage with known answers: quality, steadiness, speed, memory."""
