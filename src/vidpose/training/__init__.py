"""Training: recipes, the loop, checkpoints, and the labels that teachers write."""
