"""Light on a plate that is already shot: passes in, radiance of artist lights out. Pixel maths is torch."""
