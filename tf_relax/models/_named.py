"""Estimators by name, with the control variates that suit a VAE."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import inspect
from typing import Any

from tf_relax import control_variates
from tf_relax import estimators
from tf_relax._names import unknown
from tf_relax._shapes import whole_sizes
from tf_relax.models._latents import latents_of
from tf_relax.relaxations import BernoulliDraw
from tf_relax.relaxations import CategoricalDraw


@dataclasses.dataclass(frozen=True)
class _Options:
    temperature: float
    seed: int
    hidden: Sequence[int]
    weight_decay: float
    coupled: bool
    event_ndims: int

    def network(self) -> control_variates.Network:
        return control_variates.Network(
            self.hidden,
            event_ndims=self.event_ndims,
            weight_decay=self.weight_decay,
            seed=self.seed + 2,
        )

    def free_form(self) -> control_variates.ControlVariate:
        relaxed = control_variates.RelaxedFunction(self.temperature)
        return control_variates.Scaled(relaxed + self.network())


def named_estimator(
    name: str,
    temperature: float = 0.5,
    seed: int = 0,
    *,
    hidden: Sequence[int] = (200, 200),
    weight_decay: float = 0.0,
    coupled: bool = True,
    event_ndims: int = 1,
) -> estimators.Estimator:
    """Returns the estimator of that name, for a VAE.

    Args:
      name: "relax" has `eta [f(sigmoid(z / lambda)) + r(z, x)]`, as the
        paper's code, with a network r of ReLU units, and so have "dlax",
        "relax_k" and "relax_disarm"; "relax_network" and "relax_k_network"
        have r alone; "rebar", "rebar_k" and "rebar_disarm" the relaxed f only;
        "reinforce" a moving-average baseline; "nvil" that, a network's, and
        the normalised variance; "..._independent" has independent noises. The
        others are those of `tf_relax.estimators`, with their defaults.
      temperature: `lambda`, at the start, or for good in what is biased.
      seed: of the network's initial weights.
      hidden: widths of the layers of the network r.
      weight_decay: of the network r, see `control_variates.Network`.
      coupled: False for Algorithm 2 as printed, with independent noises.
      event_ndims: how many trailing axes of b are one example: 1 of Bernoulli
        latents, 2 of one-hot ones.

    Raises:
      ValueError: if the name is unknown or not one for discrete latents, or
        `hidden` are no widths.
    """
    if name not in estimator_names():
        raise ValueError(unknown("estimator", name, estimator_names()))
    make = _SUITED.get(name) or _plain(name)
    return make(
        _Options(
            temperature,
            seed,
            whole_sizes("hidden", hidden, "(200, 200)"),
            weight_decay,
            coupled,
            event_ndims,
        )
    )


def named(given: Any) -> bool:
    """Returns whether one of the estimators given is a name."""
    each = given if isinstance(given, list | tuple) else [given]
    return any(isinstance(x, str) for x in each)


def estimators_of_layers(
    given: Any,
    num_layers: int,
    temperature: float | None,
    seed: int,
    options: Mapping[str, Any],
    event_ndims: int,
) -> list[estimators.Estimator]:
    """Returns an estimator for each layer.

    Args:
      given: a name, which makes one for each; an object; or a list of either.
      num_layers: how many stochastic layers there are.
      temperature: see `named_estimator`; None for its default.
      seed: of the first layer's; those above have others.
      options: further arguments of `named_estimator`.
      event_ndims: see `named_estimator`.

    Raises:
      TypeError: if one is neither a name nor an `Estimator`.
      ValueError: if there are more or fewer than layers, or arguments for
        names without one.
    """
    if not isinstance(given, list | tuple):
        given = [given] * num_layers if isinstance(given, str) else [given]
    for each in given:
        if not isinstance(each, str | estimators.Estimator):
            raise TypeError(
                "`estimator` must be a name, an Estimator, or a list of them. "
                f"Received: {each!r}."
            )
    if len(given) != num_layers:
        raise ValueError(
            "`estimator` must be one for each layer, in a list, or a name. "
            f"Received: {len(given)} for {num_layers} layers."
        )
    if temperature is not None:
        options = {"temperature": temperature, **options}
    if options and not named(given):
        received = ", ".join(f"{k}={v!r}" for k, v in options.items())
        raise ValueError(
            "`temperature` and `estimator_options` are for estimators given by "
            "name; an object has its own, as in RELAX(RelaxedFunction(0.1)). "
            f"Received: {received} beside {type(given[0]).__name__}()."
        )
    return [
        named_estimator(
            each, seed=seed + 5000 * index, event_ndims=event_ndims, **options
        )
        if isinstance(each, str)
        else each
        for index, each in enumerate(given)
    ]


def estimator_names(num_classes: int | None = None) -> list[str]:
    """Returns the names that `named_estimator` knows, sorted.

    Those of `tf_relax.estimators` that are valid for discrete units, and some
    of this module.

    Args:
      num_classes: only those for latents of so many classes; 0 for Bernoulli
        latents. Default: all.
    """
    registered = filter(_is_discrete, estimators.names())
    known = sorted({*registered, *_SUITED})
    if num_classes is None:
        return known
    kind = latents_of(num_classes).kind
    return [
        name for name in known if issubclass(kind, named_estimator(name).needs)
    ]


def _dlax(options: _Options) -> estimators.Estimator:
    return estimators.DLAX(options.free_form())


def _nvil(options: _Options) -> estimators.Estimator:
    baseline = estimators.Baseline(seed=options.seed + 2)
    return estimators.NVIL(baseline, normalize=True)


def _reinforce(options: _Options) -> estimators.Estimator:
    del options
    return estimators.Reinforce(estimators.MovingAverage())


def _relax(options: _Options) -> estimators.Estimator:
    return estimators.RELAX(options.free_form(), coupled=options.coupled)


def _relax_network(options: _Options) -> estimators.Estimator:
    return estimators.RELAX(options.network(), coupled=options.coupled)


def _relax_k(options: _Options) -> estimators.Estimator:
    return estimators.RELAXK(options.free_form(), coupled=options.coupled)


def _relax_k_network(options: _Options) -> estimators.Estimator:
    # A network that knows nothing yet: the others' mean is the better baseline.
    return estimators.RELAXK(options.network(), 1.0, coupled=options.coupled)


def _relax_disarm(options: _Options) -> estimators.Estimator:
    return estimators.RELAXDisARM(options.free_form())


def _rebar_disarm(options: _Options) -> estimators.Estimator:
    return estimators.RELAXDisARM(temperature=options.temperature)


def _independent(
    make: Callable[[_Options], estimators.Estimator],
) -> Callable[[_Options], estimators.Estimator]:
    return lambda options: make(dataclasses.replace(options, coupled=False))


def _plain(name: str) -> Callable[[_Options], estimators.Estimator]:
    def make(options: _Options) -> estimators.Estimator:
        parameters = inspect.signature(estimators.class_of(name)).parameters
        known = {
            "temperature": options.temperature,
            "coupled": options.coupled,
            "event_ndims": options.event_ndims,
        }
        return estimators.get(
            name, **{key: x for key, x in known.items() if key in parameters}
        )

    return make


def _is_discrete(name: str) -> bool:
    needs = estimators.class_of(name).needs
    return any(issubclass(x, needs) for x in (BernoulliDraw, CategoricalDraw))


# Others have their defaults.
_SUITED: dict[str, Callable[[_Options], Any]] = {
    "dlax": _dlax,
    "nvil": _nvil,
    "rebar_disarm": _rebar_disarm,
    "rebar_independent": _independent(_plain("rebar")),
    "reinforce": _reinforce,
    "relax": _relax,
    "relax_disarm": _relax_disarm,
    "relax_independent": _independent(_relax),
    "relax_k": _relax_k,
    "relax_k_network": _relax_k_network,
    "relax_network": _relax_network,
}
