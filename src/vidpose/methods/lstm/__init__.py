"""LSTM Pose Machines (Luo et al., CVPR 2018), the recurrent reference."""
