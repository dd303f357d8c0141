"""Labels that teachers wrote."""
