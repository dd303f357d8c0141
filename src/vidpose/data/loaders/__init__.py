"""What a training reads: torch data sets of crops, clips and scenes."""
