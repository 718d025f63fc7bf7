import pytest
from fan_beams import small


@pytest.fixture(params=["arc", "flat"])
def scanner(request):
    return small(request.param, offset=0.25)
