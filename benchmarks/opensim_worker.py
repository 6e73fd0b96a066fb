"""OpenSim's static optimization, one frame for every line on standard input.

``python benchmarks/opensim_worker.py WALK [MODEL]`` runs where ``opensim`` is installed, which may
be another environment than edgehip's. WALK is what :mod:`benchmarks.opensim_peer` wrote, MODEL a
musculoskeletal model (``.osim``) with the coordinates of Rajagopal et al. (2016): by default the
copy of it that the package ``nimblephysics`` holds. The first line it prints describes the problem,
or why there is none; then each line of input is answered by the seconds that a frame took.
"""

import importlib.metadata
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import opensim

PELVIS: Final = ("tilt", "list", "rotation", "tx", "ty", "tz")
RESIDUAL_N: Final = 500.0
RESERVE_NM: Final = 1.0
MOST_CONTROL: Final = 100.0
RAMP: Final = 0.15
"""Share of stance in which a foot takes the body's weight over, and gives it away again."""
SHEAR: Final = 0.18
"""Peak of braking, then of propulsion, in body weights; typical of normal walking."""
FOOT_M: Final = 0.2
"""The centre of pressure's way along the foot, from the heel."""
GRAVITY_M_PER_S2: Final = 9.81


class StaticOptimization:
    """A model that walks, and the analysis that looks at one frame after the other.

    Parameters
    ----------
    path
        The model.
    walk
        ``rate_hz``, ``names`` of the angles, ``angles_deg`` (N, 10) and per side ``stance`` (N,):
        the share of stance that is over, or -1 in swing.
    """

    def __init__(self, path: str, walk: dict[str, Any]) -> None:
        opensim.Logger.setLevelString("Error")
        # Everything is kept: the library holds no references of its own to what it is handed.
        self.model = opensim.Model(path)
        self.period_s = 1.0 / walk["rate_hz"]
        self.kept: list[Any] = []
        mass_kg = self.model.getTotalMass(self.model.initSystem())
        for name in PELVIS:
            self._actuate(f"pelvis_{name}", RESIDUAL_N)
        for name in walk["names"]:
            self._actuate(name, RESERVE_NM)
        for side, stance in walk["stance"].items():
            self._load(side, np.array(stance), GRAVITY_M_PER_S2 * mass_kg)
        self.state = self.model.initSystem()
        self.postures = self._postures(np.radians(walk["angles_deg"]), walk["names"])
        self.analysis = opensim.StaticOptimization()
        self.analysis.setUseModelForceSet(True)
        self.analysis.setModel(self.model)
        self.analysis.setStatesStore(self._storage())
        self._pose(0)
        self.analysis.begin(self.state)
        self.number = 0

    def frame(self) -> float:
        """Optimize the next frame; return how many seconds that took."""
        # The first and last frames have no neighbours to tell their accelerations from.
        self.number = self.number % (len(self.postures) - 2) + 1
        began_s = time.perf_counter()
        self._pose(self.number)
        self.analysis.step(self.state, self.number)
        return time.perf_counter() - began_s

    def described(self) -> dict[str, Any]:
        """Return what is solved: the model and its muscles."""
        return {
            "opensim": importlib.metadata.version("opensim"),
            "model": self.model.getName(),
            "muscles": self.model.getMuscles().getSize(),
        }

    def _actuate(self, name: str, optimal: float) -> None:
        actuator = opensim.CoordinateActuator(name)
        actuator.setName(f"{name}_beside_muscles")
        actuator.setOptimalForce(optimal)
        actuator.setMinControl(-MOST_CONTROL)
        actuator.setMaxControl(MOST_CONTROL)
        self._own(actuator)

    def _load(self, side: str, stance: "np.ndarray[Any, Any]", weight_n: float) -> None:
        """Let the ground push a foot: its weight, braking and propulsion, from heel to toe."""
        down = stance >= 0
        share = np.where(down, stance, 0.0)
        carried = np.minimum(1.0, np.minimum(share, 1 - share) / RAMP) * weight_n * down
        shear = -SHEAR * np.sin(2 * np.pi * share) * weight_n * down
        force = opensim.PrescribedForce(f"ground_{side}", self._foot(side))
        force.setForceIsInGlobalFrame(True)
        force.setPointIsInGlobalFrame(False)
        none = opensim.Constant(0.0)
        force.setForceFunctions(self._curve(shear), self._curve(carried), none)
        force.setPointFunctions(self._curve(FOOT_M * share), none, opensim.Constant(0.0))
        self._own(force)

    def _foot(self, side: str) -> Any:
        return self.model.getBodySet().get(f"calcn_{side}")

    def _own(self, force: Any) -> None:
        """Give a force to the model, and leave its end to it."""
        self.model.addForce(force)
        force.thisown = False
        self.kept.append(force)

    def _curve(self, values: "np.ndarray[Any, Any]") -> Any:
        curve = opensim.PiecewiseLinearFunction()
        for number, value in enumerate(values.tolist()):
            curve.addPoint(number * self.period_s, value)
        return curve

    def _postures(self, angles_rad: "np.ndarray[Any, Any]", names: list[str]) -> list[Any]:
        """Return the model's state variables at every frame, with speeds and kneecaps to match."""
        speeds = np.gradient(angles_rad, self.period_s, axis=0)
        variables = self.model.getStateVariableNames()
        place = {variables.get(i): i for i in range(variables.getSize())}
        at_rest = self.model.getStateVariableValues(self.state)
        rest = [at_rest.get(i) for i in range(at_rest.size())]
        found = []
        for angles, rates in zip(angles_rad.tolist(), speeds.tolist(), strict=True):
            values = list(rest)
            for name, angle, rate in zip(names, angles, rates, strict=True):
                coordinates = [name, f"{name}_beta"] if name.startswith("knee") else [name]
                for one in coordinates:
                    where = self.model.getCoordinateSet().get(one).getAbsolutePathString()
                    values[place[f"{where}/value"]] = angle
                    values[place[f"{where}/speed"]] = rate
            vector = opensim.Vector(len(values), 0.0)
            for i, value in enumerate(values):
                vector[i] = value
            found.append(vector)
        return found

    def _storage(self) -> Any:
        """Return all postures as the table that accelerations are taken from."""
        labels = opensim.ArrayStr()
        labels.append("time")
        variables = self.model.getStateVariableNames()
        for i in range(variables.getSize()):
            labels.append(variables.get(i))
        storage = opensim.Storage()
        storage.setColumnLabels(labels)
        storage.setInDegrees(False)
        for number, posture in enumerate(self.postures):
            storage.append(number * self.period_s, posture)
        self.kept.append(storage)
        return storage

    def _pose(self, number: int) -> None:
        self.state.setTime(number * self.period_s)
        self.model.setStateVariableValues(self.state, self.postures[number])
        self.model.assemble(self.state)
        self.model.realizeVelocity(self.state)


def packaged_model() -> str:
    """Return where the package that holds a model keeps it; it need not be importable.

    Raises
    ------
    FileNotFoundError
        If the package is not installed, or holds none.
    """
    for file in importlib.metadata.files("nimblephysics") or ():
        if file.name == "Rajagopal2015.osim":
            return str(file.locate())
    raise FileNotFoundError("nimblephysics holds no Rajagopal2015.osim")


def main() -> None:
    """Answer every line."""
    walk, *given = sys.argv[1:]
    path = given[0] if given else packaged_model()
    problem = StaticOptimization(path, json.loads(Path(walk).read_text()))
    print(json.dumps(problem.described()), flush=True)
    for _ in sys.stdin:
        print(problem.frame(), flush=True)


if __name__ == "__main__":
    main()
