"""Dynamic Kernel Distillation (Nie et al., ICCV 2019): model.py is the paper."""
