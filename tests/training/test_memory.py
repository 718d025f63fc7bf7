import platform

import pytest
import torch

from ldctlib.training.memory import freed_memory_kept


def page_faults_of_a_block(times=20):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.zeros(1 << 24)  # 64 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_within_it_a_block_is_not_fetched_from_the_system_again():
    with freed_memory_kept(torch.device("cpu")) as kept:
        assert kept
        page_faults_of_a_block(times=2)  # the first block has to come from somewhere
        inside = page_faults_of_a_block()
    assert inside < page_faults_of_a_block() / 5


def test_a_gpu_is_none_of_its_business():
    with freed_memory_kept(torch.device("cuda")) as kept:
        assert not kept
