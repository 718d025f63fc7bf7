"""The floor of the skull: fossae, orbits, air cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ldctlib.scans.phantoms import head_outlines as tables
from ldctlib.scans.phantoms.canvas import Canvas
from ldctlib.scans.phantoms.outlines import Outline, mirrored, transformed
from ldctlib.scans.phantoms.patient import Patient
from ldctlib.scans.phantoms.shapes import (
    capsule,
    coverage,
    ellipsoid,
    sheet,
    smooth_min,
    smoothstep,
)

if TYPE_CHECKING:
    from ldctlib.scans.phantoms.head import Plan

SIDES = (("left", 1), ("right", -1))
TOP_MM = -8.0  # above this height the inside of the skull is one room


def outlines(patient: Patient) -> dict[str, Outline]:
    """The chambers of the floor and the orbits."""
    found = {
        "anterior-fossa": patient.outline("anterior-fossa", {-24: mirrored(tables.ANTERIOR_FOSSA)},
                                          jitter_mm=1.0),
        "posterior-fossa": patient.outline("posterior-fossa",
                                           {-24: mirrored(tables.POSTERIOR_FOSSA)}, jitter_mm=1.2),
        "suprasellar": patient.outline("suprasellar", {-10: mirrored(tables.SUPRASELLAR)},
                                       jitter_mm=0.9),
    }  # fmt: skip
    for side, sign in SIDES:
        for name, points in (("middle-fossa", tables.MIDDLE_FOSSA), ("orbit", tables.ORBIT)):
            sided = {-24.0: transformed(points, scale=(sign, 1))}
            found[f"{name}-{side}"] = patient.outline(f"{name}-{side}", sided, jitter_mm=1.2)
    return found


def below(canvas: Canvas) -> np.ndarray:
    """0 above the floor of the skull, 1 where the fossae are parted."""
    return np.asarray(smoothstep((TOP_MM - canvas.Z + 1.5 * canvas.n20) / 12))


def chambers(canvas: Canvas, plan: Plan) -> np.ndarray:
    """Signed distance in mm to the inside of the skull where it is parted into fossae."""
    rooms = [name for name in plan.parts if name.endswith("fossa") or "middle-fossa" in name]
    whole = canvas.distance(plan.parts[rooms[0]])
    for name in rooms[1:]:
        whole = smooth_min(whole, canvas.distance(plan.parts[name]), 3.0)
    return np.asarray(whole)


def petrous(canvas: Canvas) -> np.ndarray:
    """Signed distance to the petrous bones, the mastoids and the clivus between the fossae."""
    U = np.abs(canvas.X) + canvas.n8
    pyramid = capsule(U, canvas.Y, (17, 0), (50, 15), 4.0, 7.0)
    mastoid = capsule(U, canvas.Y, (50, 15), (66, 27), 7.0, 9.5)
    slope = np.maximum(canvas.Z + 17 - 0.10 * U, 0)  # the ridge climbs to the side
    clivus = ellipsoid(canvas.X, canvas.Y + 12, canvas.Z + 31, (16, 15, 13))
    ridge = smooth_min(pyramid, mastoid, 3.0) + slope
    return np.asarray(np.minimum(ridge, clivus) + 0.6 * canvas.n4)


def orbits(canvas: Canvas, plan: Plan) -> dict[str, np.ndarray]:
    """Signed distance to the orbits; their roofs lie at about z = -14."""
    roof = np.maximum(canvas.Z + 15 - 1.5 * canvas.n20, 0) * 1.2
    return {
        side: canvas.distance(plan.parts[f"orbit-{side}"], exact=True) + roof for side, _ in SIDES
    }


def paint_orbits(canvas: Canvas, orbit: dict[str, np.ndarray]) -> None:
    """Fat, eye, optic nerve and eye muscles."""
    X, Y, Z = canvas.X, canvas.Y, canvas.Z
    for side, sign in SIDES:
        room, U = orbit[side], sign * X
        if room.min() > 0:
            continue
        canvas.paint(room, -88 + 5 * canvas.n4, f"orbit-{side}")
        wall = np.minimum(
            capsule(U, Y, (43, -66), (24, -40), 1.9, 1.5),
            capsule(U, Y, (21, -66), (20, -44), 1.7, 1.5),
        )
        muscles = np.maximum(wall + 0.5 * canvas.n8, room + 0.4)
        canvas.paint(muscles, 55 + 3 * canvas.n4, f"eye-muscles-{side}")
        nerve = capsule(U, Y, (31, -58), (22, -40), 0, 0)
        nerve = np.hypot(nerve, np.maximum(np.abs(Z + 26) - 2, 0))
        canvas.paint(np.maximum(nerve - 2, room), 34, f"optic-nerve-{side}")
        eye = ellipsoid(U - 32, Y + 68, Z + 29, (12, 12, 12))
        canvas.paint(eye, 52, f"eye-{side}")
        canvas.paint(eye + 1.2, 11 + canvas.n4, f"eye-{side}")


def paint_air(canvas: Canvas, inner: np.ndarray, bone: np.ndarray) -> None:
    """Mastoid cells and the sphenoid sinus."""
    X, Y, Z = canvas.X, canvas.Y, canvas.Z
    for side, sign in SIDES:
        region = ellipsoid(sign * X - 60, Y - 24, Z + 26, (15, 15, 16)) + 2 * canvas.n8
        room = coverage(np.maximum(np.maximum(region, 1.6 - inner), bone + 1.5), 1.2)
        cells = coverage(0.3 - canvas.field("mastoid cells", 2.2), 0.4)
        canvas.blend(room * cells, -900, f"mastoid-cells-{side}")
    sinus = ellipsoid(X - 2 - 2 * canvas.n20, Y + 29, Z + 29, (14, 8, 11)) + 1.2 * canvas.n8
    septum = 0.9 - np.abs(X - 3 * canvas.field("sphenoid septum", 30))
    sinus = np.maximum(np.maximum(sinus, septum), 1.5 - inner)
    canvas.paint(sinus, -960, "sphenoid-sinus")


def paint_sella(canvas: Canvas) -> None:
    """Dorsum sellae and clinoid processes stand up into the cistern."""
    X, Y, Z = canvas.X, canvas.Y, canvas.Z
    dorsum = ellipsoid(X, Y + 13 - 0.02 * X**2, Z + 21, (9, 2.2, 6)) + 0.5 * canvas.n4
    for sign in (1, -1):
        clinoid = ellipsoid(sign * X - 12, Y + 23, Z + 19, (2.6, 6, 3.0)) + 0.5 * canvas.n4
        dorsum = np.minimum(dorsum, clinoid)
    shell = coverage(sheet(dorsum + 0.8, 1.4), 0.8)
    canvas.paint(dorsum, 450 + 500 * shell + 60 * canvas.n2, "sella")
