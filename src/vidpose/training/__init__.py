"""Training: recipes, the loop, checkpoints, losses."""
