"""Training: the loop, the patch sampler, weight files."""
