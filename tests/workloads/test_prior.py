from __future__ import annotations

import torch

from workloads.diffusion.prior import even_times


def test_no_time_lies_beyond_the_schedule():
    """With this seed the last place rounds up to the end, and the time after the last would be looked up."""
    times = even_times(320, 1000, torch.Generator().manual_seed(33_289))

    assert (times.min().item(), times.max().item()) == (2, 999)
