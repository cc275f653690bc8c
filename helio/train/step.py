"""One step of training: the gradient of the loss over a batch, and what it does to the weights.

Weights are replicated and a batch is split into equal blocks, one for each device of the mesh. Sums are joined over
devices before any mean is taken, so the loss does not depend on how many there are. The same code trains any model:
an objective gives `Term`s, a model is any tree of floating-point arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, PyTree

from helio.train.compiling import quick
from helio.train.devices import AXIS
from helio.train.loss import Term, total


class Objective(Protocol):
    """What is made small: the weighted sum of the terms' mean penalties.

    Randomness, where a model needs it, is part of the batch.
    """

    @property
    def weights(self) -> Mapping[str, float]:
        """By name of the term."""
        ...

    def __call__(self, model: Any, batch: Any, /) -> dict[str, Term]:
        """Sums over the structures of a batch."""
        ...


class TrainState(eqx.Module):
    """All arrays that training changes."""

    model: PyTree[Float[Array, "..."]]
    average: PyTree[Float[Array, "..."]]  # exponential moving average of the weights
    optimiser: Any  # optax.MultiStepsState
    step: Int[Array, ""]  # batches taken, skipped ones included
    skipped: Int[Array, ""]  # batches whose gradient was not finite


class StepReport(eqx.Module):
    """What happened in a step; read later, so that the devices need not wait."""

    loss: Float[Array, ""]
    terms: dict[str, Term]  # over all devices
    gradient_norm: Float[Array, ""]  # before clipping
    updates: Int[Array, ""]  # of the weights, so far
    finite: Bool[Array, ""]  # False: the batch was skipped


Step = Callable[[TrainState, Any], tuple[TrainState, StepReport]]


def start_state(model: Any, optimiser: optax.GradientTransformation) -> TrainState:
    """The state before the first step."""
    zero = jnp.zeros((), jnp.int32)
    state = TrainState(model, model, optimiser.init(model), zero, zero)
    return jax.tree.map(jnp.copy, state)  # a step takes over the arrays, each once


def make_step(
    objective: Objective,
    optimiser: optax.GradientTransformation,
    *,
    mesh: Mesh,
    averaging: float,
    factors: Any = None,
) -> Step:
    """The compiled step; it takes over its state, whose old arrays must not be used again.

    Args:
        objective: the loss.
        optimiser: as `make_optimiser` gives it.
        mesh: the devices.
        averaging: decay d of the moving average per update; (1 + n) / (10 + n) while that is smaller, after n updates.
        factors: those of the optimiser; arrays with zero get no gradient, which saves its time.
    """
    gradient = _on_blocks(partial(_gradient, objective, factors), mesh)

    def step(state: TrainState, batch: Any) -> tuple[TrainState, StepReport]:
        change, loss, terms = gradient(state.model, batch)
        norm = optax.global_norm(change)
        finite = jnp.isfinite(norm)  # else the optimiser leaves it out
        with jax.numpy_dtype_promotion("standard"):  # optax raises numbers to integer powers
            updates, found = optimiser.update(change, state.optimiser, state.model)
        inner: Any = found
        model = optax.apply_updates(state.model, updates)
        updated = inner.gradient_step > state.optimiser.gradient_step
        average = _averaged(state.average, model, inner.gradient_step, updated, averaging)
        after = TrainState(model, average, inner, state.step + 1, state.skipped + (1 - finite.astype(jnp.int32)))
        return after, StepReport(loss, terms, norm, inner.gradient_step, finite)

    return jax.jit(step, donate_argnums=0, compiler_options=quick(mesh))


def make_measure(objective: Objective, *, mesh: Mesh) -> Callable[[Any, Any], dict[str, Term]]:
    """The compiled sums of a model's errors over a batch, without gradients."""

    def measure(model: Any, batch: Any) -> dict[str, Term]:
        return jax.lax.psum(objective(model, batch), AXIS)

    return jax.jit(_on_blocks(measure, mesh), compiler_options=quick(mesh))


def _gradient(objective: Objective, factors: Any, model: Any, batch: Any) -> tuple[Any, Array, dict[str, Term]]:
    """Gradient, loss and sums of one device's block, each joined over all devices."""

    def share(model: Any) -> tuple[Array, dict[str, Term]]:
        if factors is not None:
            model = jax.tree.map(lambda leaf, f: leaf if f else jax.lax.stop_gradient(leaf), model, factors)
        terms = objective(model, batch)
        known = {name: jax.lax.psum(jax.lax.stop_gradient(term.count), AXIS) for name, term in terms.items()}
        joined = {name: eqx.tree_at(lambda t: t.count, term, known[name]) for name, term in terms.items()}
        return total(objective.weights, joined), terms

    (loss, terms), gradient = jax.value_and_grad(share, has_aux=True)(model)
    return jax.lax.psum((gradient, loss, terms), AXIS)


def _on_blocks(function: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """`function(model, batch)` on each device, with its block of the batch; the result is the same on all."""
    everywhere, blocks = PartitionSpec(), PartitionSpec(AXIS)
    return jax.shard_map(
        function, mesh=mesh, in_specs=(everywhere, blocks), out_specs=everywhere, check_vma=False
    )  # the sums are joined by hand: the types of varying values do not pass through custom derivatives


def _averaged(average: Any, model: Any, updates: Array, updated: Array, decay: float) -> Any:
    """The new average; what does not change is its own average to the last bit."""
    number = updates.astype(jnp.float32)
    keep = jnp.where(updated, jnp.minimum(decay, (1 + number) / (10 + number)), 1.0)
    return jax.tree.map(lambda a, m: a + (1 - keep).astype(a.dtype) * (m - a), average, model)
