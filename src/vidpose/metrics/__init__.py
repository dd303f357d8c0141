"""Metrics of pose in images, in video and across cameras: numpy only, no network and no torch.

| file | measures |
|---|---|
| pck.py | percentage of correct keypoints, its normalisers and its several means |
| oks.py | object keypoint similarity; COCO's AP and AR through pycocotools |
| protocols.py | the evaluation protocols of the literature as named values |
| posetrack.py | PoseTrack's AP of joints for several people |
| temporal.py | acceleration error and jitter, aware of the time step |
| calibration.py | whether a confidence of 0.8 is right 8 times in 10, and the fit for it |

Everywhere keypoints are pixels with the origin at the centre of the top-left pixel, boxes are
(x, y, w, h), and a joint counts only where a boolean mask says that it is labelled.
"""
