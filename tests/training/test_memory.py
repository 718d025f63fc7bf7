import platform
import subprocess
import sys

import pytest
import torch

from ldctlib.training.memory import freed_memory_kept

# In a process of its own: what other tests left in the heap decides where a block comes from.
COUNT_PAGE_FAULTS = """
import resource, torch
from ldctlib.training.memory import freed_memory_kept

def page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(1 << 24)  # 64 MB, every page of them touched
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

outside = page_faults()
with freed_memory_kept(torch.device("cpu")) as kept:
    page_faults()  # the first block has to come from somewhere
    inside = page_faults()
print(kept, inside, outside, page_faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_within_it_a_block_is_not_fetched_from_the_system_again():
    command = [sys.executable, "-c", COUNT_PAGE_FAULTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kept, inside, before, after = done.stdout.split()
    assert kept == "True"
    assert int(inside) < min(int(before), int(after)) / 5


def test_a_gpu_is_none_of_its_business():
    with freed_memory_kept(torch.device("cuda")) as kept:
        assert not kept
