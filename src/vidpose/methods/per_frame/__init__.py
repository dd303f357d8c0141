"""Networks that look at every frame anew."""
