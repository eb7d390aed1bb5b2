"""The part of the control API that all providers share."""

from collections.abc import Callable

from sandbox.http_messages import Json, ProviderError
from sandbox.journal import Origin, origin
from sandbox.simulator import Simulator

Action = Callable[[Json], Json]


class ControlActions:
    """The control API of a provider: `POST /_sandbox/<provider>/<action>` with JSON.

    `actions` maps names to who performs the action (an Origin's `actor`) and the action itself.
    """

    def __init__(self, provider: str, simulator: Simulator, actions: dict[str, tuple[str, Action]]) -> None:
        self._provider = provider
        self._simulator = simulator
        self._actions = actions

    def run(self, name: str, body: Json) -> Json:
        """Raises LookupError for an unknown action or object, ValueError if the action is not possible."""
        if name not in self._actions:
            raise LookupError(f"{self._provider}/{name}")
        actor, action = self._actions[name]
        token = origin.set(Origin(actor))
        with self._simulator.lock:
            try:
                return dict(action(body))
            except ProviderError as error:
                raise (LookupError if error.is_missing else ValueError)(str(error)) from error
            finally:
                origin.reset(token)
                self._simulator.store.commit()
