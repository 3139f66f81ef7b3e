"""Settings of a sweep: those of a run, some of them lists."""

import dataclasses
import itertools
from typing import Any

from tf_relax.experiments._settings import parse_number
from tf_relax.experiments._vae_model import VAESettings

# What may differ between the replicas; the last runs fastest.
SWEPT = (
    "kl_warmup_epochs",
    "temperature",
    "network_weight_decay",
    "control_variate_learning_rate_factor",
    "learning_rate",
    "seed",
)


def _field(field: dataclasses.Field[Any]) -> tuple[str, Any, Any]:
    if field.name in SWEPT:
        text = f"{field.metadata['help']} One, or several with commas."
        metadata = {**field.metadata, "help": text}
        swept = dataclasses.field(default=str(field.default), metadata=metadata)
        return field.name, str, swept
    same = dataclasses.field(default=field.default, metadata=field.metadata)
    return field.name, field.type, same


_Fields: Any = dataclasses.make_dataclass(
    "_Fields", map(_field, dataclasses.fields(VAESettings)), frozen=True
)


class SweepSettings(_Fields):
    """What a sweep is made with; the flags of `bin/sweep.py`.

    It has the fields of `VAESettings`. Those of `SWEPT` are strings: a value,
    or several with commas between them. The replicas are their product.

    Examples:
      >>> sweep = SweepSettings(learning_rate=".001,.0005", seed="0,1,2")
      >>> [(run.learning_rate, run.seed) for run in sweep.replicas()][:4]
      [(0.001, 0), (0.001, 1), (0.001, 2), (0.0005, 0)]
    """

    def replicas(self) -> list[VAESettings]:
        """Returns the settings of each run.

        Raises:
          ValueError: if a list is malformed or holds a value twice, or a
            setting has no meaning here.
        """
        if self.variance_of:
            raise ValueError(
                "`variance_of` is for a single run. Received: "
                f"variance_of={self.variance_of}. Leave it out, or give it to "
                "train_vae."
            )
        lists = [self.values(name) for name in SWEPT]
        common = dataclasses.asdict(self)
        return [
            VAESettings(**common | dict(zip(SWEPT, values, strict=True)))
            for values in itertools.product(*lists)
        ]

    def values(self, name: str) -> list[float]:
        """Returns the values of a swept setting.

        Raises:
          ValueError: if they are none, out of bounds, or one is there twice.
        """
        (field,) = (
            f for f in dataclasses.fields(VAESettings) if f.name == name
        )
        words = [word.strip() for word in getattr(self, name).split(",")]
        values = [_number(field, word, words) for word in words]
        twice = [x for x in dict.fromkeys(values) if values.count(x) > 1]
        if twice:
            raise ValueError(
                f"`{name}` must have each value once: the same run again tells "
                f"nothing. Received: {name}={','.join(words)}, with "
                f"{', '.join(map(str, twice))} twice. Remove one."
            )
        return values

    def written_alike(self) -> "SweepSettings":
        """Returns the same with `.005` written as `0.005`, to compare."""
        lists = {name: ",".join(map(str, self.values(name))) for name in SWEPT}
        return dataclasses.replace(self, **lists)


def _number(
    field: dataclasses.Field[Any], word: str, words: list[str]
) -> float:
    try:
        return parse_number(field, word, whole=field.type is int)
    except ValueError as error:
        what = "whole numbers" if field.type is int else "numbers"
        low = field.metadata["lower_bound"]
        raise ValueError(
            f"`{field.name}` must be {what} from {low:g} on, with commas "
            f"between them and nothing else. Received: "
            f"{field.name}={','.join(words)}, with {word!r} in it."
        ) from error
