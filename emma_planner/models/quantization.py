"""Weights of the linear layers in 8 bits, by torchao; the rest stays as it is."""

from __future__ import annotations

from typing import Any

from emma_planner.planning.chat import ModelError

QUANTIZED = ('int8', 'float8')


def quantize(model: Any, dtype: str) -> None:
    """Quantise a model in place.

    :param dtype: one of :data:`QUANTIZED`
    :raises ModelError: torchao is missing, or the device has no such numbers
    """
    try:
        from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig, quantize_
    except ImportError as err:
        raise ModelError(f"dtype {dtype}: need torchao: pip install 'emma_planner[tune]'") from err
    config = Int8WeightOnlyConfig() if dtype == 'int8' else Float8WeightOnlyConfig()
    try:
        quantize_(model, config)
    except (RuntimeError, NotImplementedError, AssertionError) as err:
        line = (str(err).strip().splitlines() or [''])[0]
        raise ModelError(f'dtype {dtype}: need a device that has it, got {line}') from err
