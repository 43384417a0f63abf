"""Pictures of models and of what they do, as matplotlib figures.

Every function returns a `matplotlib.figure.Figure`: `figure.savefig("filters.png")` writes it, and
a notebook shows it. Nothing touches pyplot, its backend or its settings. Matplotlib is an extra:
`pip install "pellucid[plot]"`.
"""

from pellucid.plots._style import is_available, save
from pellucid.plots.confusion import plot_confusion_matrix
from pellucid.plots.curves import plot_history, plot_regression
from pellucid.plots.filters import plot_feature_maps, plot_filters
from pellucid.plots.samples import plot_mistakes, plot_predictions

__all__ = [
    "is_available",
    "plot_confusion_matrix",
    "plot_feature_maps",
    "plot_filters",
    "plot_history",
    "plot_mistakes",
    "plot_predictions",
    "plot_regression",
    "save",
]
