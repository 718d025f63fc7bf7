"""Control points of the head, in template mm: x to the patient's left, y to posterior.

z = 0 is the level of the third ventricle and the basal ganglia, + towards the vertex. Drawn by hand
for this library, with ordinary adult anatomy as the guide.
"""

from __future__ import annotations

Points = list[tuple[float, float]]
Keys = dict[float, Points]

VERTEX_MM = 86.0  # height of the top of the brain

# Half of the inner table, anterior to posterior midline, at the widest level.
INNER_TABLE: Points = [
    (0, -82), (24, -79), (45, -69), (58, -52), (65, -30), (70, -6), (72, 18), (69, 41),
    (60, 60), (43, 75), (21, 83), (0, 85)]  # fmt: skip

# Left half of the deep structures (x > 0); the right is its mirror image with its own jitter.
DEEP: dict[str, Keys] = {
    "caudate": {
        2: [(6, -20), (9, -26), (13, -29), (17, -26), (16, -19), (13, -14), (9, -12), (6, -15)],
        12: [(12, -16), (15, -24), (19, -30), (23, -28), (22, -20), (19, -13), (15, -9), (12, -11)],
        24: [(17, -12), (18, -19), (20, -24), (22, -21), (21.5, -12), (21, -4), (19.5, 2),
             (18, -5)],
    },
    "lentiform": {
        -8: [(17, -12), (21, -17), (26, -16), (29, -9), (28, -2), (25, 3), (21, 1), (18, -5)],
        2: [(15, -12), (22, -20), (29, -19), (33, -9), (33, 3), (28, 10), (21, 6), (16, -2)],
        14: [(21, -11), (24, -18), (29, -17), (32, -8), (32, 3), (29, 8), (25, 5), (22, -3)],
    },
    "thalamus": {
        0: [(2.8, -2), (8, -8), (14, -4), (18, 4), (20, 12), (16, 19), (8, 19), (3.5, 12)],
        14: [(5, -2), (10, -9), (16, -6), (21, 4), (22, 13), (18, 20), (11, 18), (7, 10)],
    },
}  # fmt: skip
DEEP_HEIGHT: dict[str, tuple[float, float]] = {  # where each begins and ends
    "caudate": (-2, 30), "lentiform": (-10, 17), "thalamus": (-4, 18)}  # fmt: skip

VENTRICLES: dict[str, Keys] = {
    "frontal-horn": {
        2: [(2, -19), (5, -25), (9, -30), (13, -33), (14, -30), (10, -24), (6.5, -18), (4.5, -13),
            (3, -9), (2, -12)],
        11: [(2, -20), (6, -27), (12, -34), (19, -38), (20, -34), (15, -27), (11, -19), (8, -12),
             (5, -6), (2.2, -11)],
        20: [(1.6, -18), (6, -26), (12, -31), (17, -32), (17, -26), (15, -16), (12, -6), (9, 2),
             (5, 4), (1.8, -4)],
        28: [(5, -20), (8, -28), (14, -32), (19, -32), (19.5, -23), (18, -9), (20, 6), (20, 18),
             (14, 12), (8, -3)],
        35: [(10, -16), (12, -24), (15, -27), (18, -25), (18.5, -16), (18, -5), (19, 6), (19, 16),
             (16, 12), (12, -2)],
    },
    "occipital-horn": {
        -2: [(26, 16), (29, 14), (32, 18), (33, 26), (32, 34), (29, 38), (27, 36), (26, 30),
             (25, 24), (25, 19)],
        8: [(20, 22), (25, 20), (29, 25), (30, 35), (28, 46), (24, 55), (21, 50), (21, 40),
            (18, 32), (17, 26)],
        18: [(15, 16), (19, 14), (23, 20), (27, 30), (28, 40), (24, 46), (20, 42), (17, 34),
             (14, 27), (13, 20)],
        28: [(12, 8), (17, 6), (21, 14), (25, 24), (27, 33), (25, 40), (21, 38), (17, 30),
             (14, 21), (11, 13)],
    },
}  # fmt: skip
VENTRICLE_HEIGHT: dict[str, tuple[float, float]] = {
    "frontal-horn": (1, 35), "occipital-horn": (-6, 32)}  # fmt: skip

# Sylvian fissure: from the convexity to the insula, then its two arms along the insula.
SYLVIAN: list[Points] = [
    [(70, -7), (56, -9), (45, -3), (41, 6)],
    [(44, -4), (40, -12), (36, -20)],
    [(42, 4), (41, 12), (42, 21)],
]

# The floor of the skull: three chambers that part below z = -10. Halves, mirrored or sided.
ANTERIOR_FOSSA: Points = [
    (0, -74), (13, -73), (21, -67), (22, -53), (19, -41), (10, -36), (0, -35)]  # fmt: skip
MIDDLE_FOSSA: Points = [
    (14, -20), (21, -34), (37, -40), (54, -34), (64, -16), (66, 0), (58, 9), (42, 6), (27, 1),
    (17, -5)]  # fmt: skip
POSTERIOR_FOSSA: Points = [
    (0, 0), (14, 2), (29, 14), (44, 26), (57, 40), (58, 55), (43, 70), (22, 77),
    (0, 79)]  # fmt: skip
ORBIT: Points = [
    (20, -72), (26, -82), (38, -80), (46, -68), (42, -56), (32, -46), (23, -38), (19, -46),
    (18, -60)]  # fmt: skip
SUPRASELLAR: Points = [(0, -27), (7, -21), (14, -19), (10, -10), (8, -4), (0, -6)]
