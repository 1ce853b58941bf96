"""What a runner keeps from one job to the next: the last model it loaded."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

Model = TypeVar("Model")


class Models:
    """One model: what is booked for a job is room for one."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._model: object = None

    def drop(self) -> None:
        """Keep nothing."""
        self._key = self._model = None

    def get(self, key: Hashable, load: Callable[[], Model]) -> Model:
        """The model kept under this key, else what `load` gives; another one is let go before."""
        if key != self._key or self._model is None:
            self._key, self._model = key, None
            self._model = load()
        return cast("Model", self._model)
