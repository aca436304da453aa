"""Models behind the chat seam; :func:`load_model` picks one by the configuration's model name.

Importing this package imports neither torch nor transformers nor an HTTP client.
"""

from __future__ import annotations

from pathlib import Path

from emma_planner.config import SHIPPED, UNTRAINED, PlannerConfig
from emma_planner.planning.chat import ChatModel, ModelError
from emma_planner.resources import ResourceError, model_path


def load_model(config: PlannerConfig) -> ChatModel:
    """Load the model that ``config.model`` names.

    ``emma-small`` is shipped; an ``http(s)://`` address is a server; ``untrained`` or
    ``untrained:<architecture>`` a small random-weight model, built on first use; everything else a
    checkpoint folder, an adapter folder or a hub id.

    :raises ModelError: not loadable or not reachable
    """
    name = config.model
    if name.startswith(('http://', 'https://')):
        from emma_planner.models.openai_client import OpenAIModel

        return OpenAIModel.from_config(config)
    try:
        from emma_planner.models.transformers_model import TransformersModel
        from emma_planner.models.untrained import cached_untrained
    except ImportError as err:
        raise ModelError(
            f'need torch and transformers to run {name!r}, got {type(err).__name__}: {err}; '
            "install them: pip install 'emma_planner[models]'"
        ) from err
    if name == SHIPPED:
        return TransformersModel.from_config(config, str(shipped_model()), name)
    kind, _, architecture = name.partition(':')
    if kind == UNTRAINED:
        folder = cached_untrained(architecture or 'qwen3_vl', seed=config.seed)
        return TransformersModel.from_config(config, str(folder))
    return TransformersModel.from_config(config)


def shipped_model() -> Path:
    """Return the folder of the model that is shipped.

    :raises ModelError: not there
    """
    try:
        return model_path(SHIPPED)
    except ResourceError as err:
        raise ModelError(str(err)) from err
