"""scikit-learn's callbacks (1.9 and later) around a fit: progress, monitoring, early stop. Without them, nothing."""

from __future__ import annotations

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where scikit-learn has no callbacks."""

    def with_callbacks(fit):
        """Leave ``fit`` as it is."""
        return fit


__all__ = ["CallbackSupportMixin", "FitCallbacks", "with_callbacks"]


class FitCallbacks:
    """The callbacks of one fit. Every certificate is a subtask that a callback may ask to be the last.

    Parameters
    ----------
    estimator : estimator
        Which has the callbacks, if any were set.
    X, y
        What it is fitted on.
    """

    def __init__(self, estimator, X, y):
        self.data = {"estimator": estimator, "X": X, "y": y}
        self.context = None
        if hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx"):
            self.context = estimator._init_callback_context(max_subtasks=None)
            self.context.call_on_fit_task_begin(**self.data)

    def on_certificate(self, attributes, task_name="certificate"):
        """A function of the solver's state that tells the callbacks; None where there are none.

        ``attributes(state)`` gives the fitted attributes as they would be if the fit ended here.
        """
        if self.context is None:
            return None

        def tell(state):
            task = self.context.subcontext(task_name=task_name)
            task.call_on_fit_task_begin(**self.data)
            return task.call_on_fit_task_end(**self.data, reconstruction_attributes=lambda: attributes(state))

        return tell

    def end(self):
        """The fit is over."""
        if self.context is not None:
            self.context.call_on_fit_task_end(**self.data, reconstruction_attributes={})
