"""Rouse chains: beads, harmonic bonds and friction, nothing else; everything is known in closed form.

zeta dr_n/dt = k (r_{n+1} - 2 r_n + r_{n-1}) + noise, with k = 3 kT / b^2 and free ends (P. E. Rouse, J. Chem. Phys. 21,
1272 (1953); Doi and Edwards, The Theory of Polymer Dynamics, 1986, chapter 4; here for N beads, without their limit of
large N). With r_n = sum_p phi_p(n) X_p, phi_p(n) = sqrt((2 - [p = 0]) / N) cos(pi p (n + 1/2) / N), each mode p > 0
relaxes alone at the rate k lambda_p / zeta, lambda_p = 4 sin^2(pi p / 2N), with the variance b^2 / (3 lambda_p) per
axis; mode 0 diffuses freely. Frames are drawn from these exact laws, so there is no time step and no error of one.

| symbol | variable |
|---|---|
| N | `beads` |
| b | `bond` |
| zeta | `friction` |
| kT | `temperature` |
| lambda_p | `_eigenvalues` |
"""

from __future__ import annotations

from collections.abc import Iterator

import equinox as eqx
import numpy as np
from scipy.fft import idct

from helio.coarse.system import fine_system
from helio.coarse.trajectory import Block, FineTrajectory, block_frames
from helio.errors import HelioError


class RouseChain(eqx.Module):
    """A chain and its closed forms."""

    beads: int
    bond: float = 1.0  # root mean square length of a bond, sigma
    friction: float = 1.0  # of each bead, m / tau
    temperature: float = 1.0  # kT, epsilon

    def __check_init__(self) -> None:
        if self.beads < 2 or min(self.bond, self.friction, self.temperature) <= 0:
            raise HelioError("a Rouse chain needs two beads or more, and bond, friction and temperature above zero")

    @property
    def diffusivity(self) -> float:
        """D = kT / (N zeta) of the centre of mass, sigma^2 / tau."""
        return self.temperature / (self.beads * self.friction)

    @property
    def relaxation_times(self) -> np.ndarray:
        """tau_p = zeta / (k lambda_p) of modes 1 to N - 1, longest first, (N-1,), tau."""
        return self.friction * self.bond**2 / (3 * self.temperature * _eigenvalues(self.beads))

    @property
    def bond_time(self) -> float:
        """Zeta / k, the time in which one bond relaxes; an explicit integrator's steps must be well below it, tau."""
        return self.friction * self.bond**2 / (3 * self.temperature)

    @property
    def mean_square_gyration(self) -> float:
        """<Rg^2> = sum_p b^2 / (N lambda_p) = b^2 (N^2 - 1) / (6 N), sigma^2."""
        return self.bond**2 * (self.beads**2 - 1) / (6 * self.beads)

    def end_to_end_correlation(self, times: np.ndarray) -> np.ndarray:
        """C(t) = <R(t) R(0)> / <R^2> of the end-to-end vector, with <R^2> = (N - 1) b^2; the shape of `times`.

        Only odd modes carry it: C = sum_p w_p exp(-t / tau_p), w_p = 8 cos^2(pi p / 2N) / (N (N - 1) lambda_p).
        """
        modes = np.arange(1, self.beads, 2)
        cosines = np.cos(np.pi * modes / (2 * self.beads))
        weights = 8 * cosines**2 / (self.beads * (self.beads - 1) * _eigenvalues(self.beads)[modes - 1])
        return np.exp(-np.asarray(times)[..., None] / self.relaxation_times[modes - 1]) @ weights

    def simulate(self, *, frames: int, interval: float, seed: int) -> Iterator[Block]:
        """Frames `interval` tau apart, from equilibrium, the centre of mass starting at the origin."""
        random = np.random.default_rng(seed)
        times = self.relaxation_times
        spread = np.sqrt(self.bond**2 / (3 * _eigenvalues(self.beads)))[:, None]
        decay = np.exp(-interval / times)[:, None]
        kick = spread * np.sqrt(-np.expm1(-2 * interval / times))[:, None]
        hop = np.sqrt(2 * self.temperature / self.friction * interval)  # mode 0 is sqrt(N) times the centre
        modes = np.concatenate([np.zeros((1, 3)), spread * random.normal(size=(self.beads - 1, 3))])
        at_once = block_frames(self.beads)
        for begin in range(0, frames, at_once):
            series = np.empty((min(at_once, frames - begin), self.beads, 3))
            for moment in series:
                moment[...] = modes
                noise = random.normal(size=modes.shape)
                modes = np.concatenate([modes[:1] + hop * noise[:1], decay * modes[1:] + kick * noise[1:]])
            yield Block(np.asarray(idct(series, axis=1, norm="ortho")))

    def trajectory(self, name: str, *, frames: int, interval: float, seed: int) -> FineTrajectory:
        """The same as a named trajectory of one type of beads, `R`, with mass one."""
        bonds = np.column_stack([np.arange(self.beads - 1), np.arange(1, self.beads)])
        system = fine_system(np.zeros(self.beads), np.ones(self.beads), bonds)

        def blocks() -> Iterator[Block]:
            return self.simulate(frames=frames, interval=interval, seed=seed)

        return FineTrajectory(name, system, ("R",), blocks, interval, "sigma", "tau")


def rouse_chains(
    count: int, *, beads: tuple[int, int], frames: int, interval: float, seed: int
) -> list[FineTrajectory]:
    """`count` chains with numbers of beads spread evenly between two bounds, the shortest first.

    Raises:
        HelioError: the bounds, or the time between frames, cannot be.
    """
    if beads[0] > beads[1]:
        raise HelioError(f"the shortest chain ({beads[0]} beads) is longer than the longest ({beads[1]})")
    if not interval > 0:
        raise HelioError(f"the time between frames must be above zero, not {interval:g}")
    lengths = np.rint(np.linspace(*beads, count)).astype(int)
    seeds = np.random.SeedSequence(seed).generate_state(count)
    return [
        RouseChain(int(length)).trajectory(
            f"rouse-{number:04d}-{length}", frames=frames, interval=interval, seed=int(own)
        )
        for number, (length, own) in enumerate(zip(lengths, seeds, strict=True))
    ]


def _eigenvalues(beads: int) -> np.ndarray:
    """lambda_p of modes 1 to N - 1."""
    return 4 * np.sin(np.pi * np.arange(1, beads) / (2 * beads)) ** 2
