"""OKDHP (Li et al., ICCV 2021)."""
