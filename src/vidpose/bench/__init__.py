"""Where the time of `vidpose run` goes: stages, networks, whole pipeline, beside other networks.

| file | question |
|---|---|
| `scenes.py` | what is measured: the video as filmed, and scenes with a chosen number of people |
| `stages.py` | how long each stage takes, and how often the initializer runs |
| `distilling.py` | how much of a step is distilling |
| `whole.py` | how fast `vidpose run` is as a whole, and its peak memory |
| `networks.py` | the networks alone, alternately with others' |
| `measure.py` | all of it, in order |
| `report.py`, `plot.py` | the figures as Markdown, JSON and a picture |
"""
