"""Memory of GPUs, with stand-ins for torch and NVML: no test machine has one."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from workloads import confine
from workloads.protocol import Device

MIB = 1 << 20


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Two cards of 8 GiB whose context takes 300 MiB; what was allocated on each, and which share was allowed."""
    seen = SimpleNamespace(used={"GPU-a": 100, "GPU-b": 5000}, peak={0: 0, 1: 0}, share={})

    def synchronize(index: int) -> None:
        seen.used[("GPU-a", "GPU-b")[index]] += 300

    torch = ModuleType("torch")
    torch.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        synchronize=synchronize,
        get_device_properties=lambda _: SimpleNamespace(total_memory=8192 * MIB),
        set_per_process_memory_fraction=lambda share, index: seen.share.update({index: share}),
        reset_peak_memory_stats=lambda _: None,
        max_memory_allocated=lambda index: seen.peak[index] * MIB,
    )
    nvml = ModuleType("pynvml")
    nvml.NVMLError = type("NVMLError", (Exception,), {})  # type: ignore[attr-defined]
    nvml.nvmlInit = lambda: None  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetHandleByUUID = str  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetMemoryInfo = lambda card: SimpleNamespace(used=seen.used[card] * MIB)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    return seen


def test_a_booking_holds_the_context_too(cards: SimpleNamespace):
    """What the context takes, the allocator does not get: both together stay within the booking."""
    devices = [Device("gpu", 0, 4096), Device("gpu", 1, 200)]

    assert confine.Bounds().hold(devices, 0).contexts_mib == {0: 300, 1: 300}
    assert cards.share == {0: (4096 - 300) / 8192, 1: 0.0}


def test_the_peak_is_that_of_the_fullest_device_with_its_context(cards: SimpleNamespace):
    """A booking is per device; a device on which nothing was allocated says nothing."""
    meter = confine.PeakMeter([Device("gpu", 0, 4096), Device("gpu", 1, 4096)], {0: 300, 1: 310})
    assert meter.read_mib() is None

    cards.peak |= {0: 1000, 1: 995}
    assert meter.read_mib() == 1305


def test_without_nvml_the_context_is_not_known(cards: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    """Then the whole booking is the allocator's, as torch counts it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert confine.Bounds().hold([Device("gpu", 1, 4096)], 0).contexts_mib == {1: 0}
    monkeypatch.setitem(sys.modules, "pynvml", None)

    assert confine.Bounds().hold([Device("gpu", 0, 4096)], 0).contexts_mib == {0: 0}
    assert cards.share == {0: 0.5, 1: 0.5}
