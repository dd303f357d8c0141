"""Measuring poses against labels: models on clips, predictions of anyone, protocols, tables.

| file | does |
|---|---|
| networks.py | runs a model over a labelled clip |
| single_person.py | a `PoseStream` on a labelled clip |
| predictions.py | reads predictions from files and finds the labelled person in them |
| scoring.py | from predictions and labels to rows of figures, by a protocol |
| evaluate.py | a model, or files of predictions, on the clips of a split |
| report.py | the table, and everything that its figures depend on |
| tables.py | Markdown and CSV |

Nothing here needs torch.
"""
