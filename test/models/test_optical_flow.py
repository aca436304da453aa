"""Optical flow: which way and how far the pixels moved, for each picture of a batch by itself."""

from __future__ import annotations

import pytest

pytest.importorskip('torch')

import torch

from emma_planner.models.optical_flow import optical_flow


def _scene(seed: int = 0) -> torch.Tensor:
    """Return ``(1, 3, 96, 176)`` of blobs that can be told apart."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, 3, 12, 22, generator=rng)
    return torch.nn.functional.interpolate(coarse, (96, 176), mode='bicubic')


def _middle(flow: torch.Tensor) -> torch.Tensor:
    return flow[..., 24:-24, 32:-32]


@pytest.mark.parametrize(('right', 'down'), [(0, 0), (4, 0), (-6, 0), (0, 3), (5, -2)])
def test_it_says_where_each_pixel_was(right, down):
    present = _scene()
    earlier = present.roll((down, right), (2, 3))
    flow = _middle(optical_flow(torch.cat([present, earlier, present], dim=1)))
    assert flow.shape[1] == 2
    expected = torch.tensor([right, down], dtype=torch.float32)
    assert torch.allclose(flow.mean((0, 2, 3)), expected, atol=0.3)


def test_a_thing_that_comes_nearer_was_smaller():
    present = _scene()
    smaller = torch.nn.functional.interpolate(present, (80, 146), mode='bilinear')
    earlier = torch.nn.functional.pad(smaller, (15, 15, 8, 8))
    flow = optical_flow(torch.cat([present, earlier], dim=1))
    assert flow[0, 0, 48, 60] > 1.0  # left of the middle it came from the right
    assert flow[0, 0, 48, 116] < -1.0
    assert flow[0, 1, 24, 88] > 1.0
    assert flow[0, 1, 72, 88] < -1.0


def test_without_an_earlier_picture_nothing_moves_and_others_in_the_batch_stay_as_they_are():
    present, other = _scene(0), _scene(1)
    moved = torch.cat([present, present.roll(4, 3)], dim=1)
    first = torch.cat([other, torch.zeros_like(other)], dim=1)
    flow = optical_flow(torch.cat([first, moved]))
    assert not flow[0].any()
    assert torch.equal(flow[1:], optical_flow(moved))


def test_it_is_of_the_precision_and_without_a_gradient():
    pictures = torch.cat([_scene(), _scene().roll(4, 3)], dim=1).to(torch.bfloat16)
    flow = optical_flow(pictures.requires_grad_(True))
    assert flow.dtype == torch.bfloat16
    assert not flow.requires_grad
    assert _middle(flow)[:, 0].float().mean() == pytest.approx(4.0, abs=0.3)
