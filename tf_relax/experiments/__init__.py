"""The paper's experiments as functions: settings in, files out."""

from tf_relax.experiments._benchmark import benchmark
from tf_relax.experiments._benchmark import BenchmarkSettings
from tf_relax.experiments._compare import compare
from tf_relax.experiments._compare import CompareSettings
from tf_relax.experiments._components import components
from tf_relax.experiments._components import ComponentsSettings
from tf_relax.experiments._devices import STRATEGIES
from tf_relax.experiments._evaluate import evaluate_vae
from tf_relax.experiments._evaluate import EvaluateSettings
from tf_relax.experiments._figures import draw_figures
from tf_relax.experiments._figures import FIGURES
from tf_relax.experiments._files import check_writable
from tf_relax.experiments._files import print_table
from tf_relax.experiments._files import write_csv
from tf_relax.experiments._hardware import describe_device
from tf_relax.experiments._hardware import require_gpu
from tf_relax.experiments._memory import keep_freed_memory
from tf_relax.experiments._play import play
from tf_relax.experiments._play import PlaySettings
from tf_relax.experiments._precision import precision
from tf_relax.experiments._precision import PrecisionSettings
from tf_relax.experiments._rl import train_rl
from tf_relax.experiments._rl_benchmark import rl_benchmark
from tf_relax.experiments._rl_benchmark import RLBenchmarkSettings
from tf_relax.experiments._rl_settings import RLSettings
from tf_relax.experiments._settings import setting
from tf_relax.experiments._settings import write_flags
from tf_relax.experiments._sweep import train_sweep
from tf_relax.experiments._sweep_settings import SweepSettings
from tf_relax.experiments._tables import write_tables
from tf_relax.experiments._toy import run_toy
from tf_relax.experiments._toy import ToySettings
from tf_relax.experiments._toy import train_toy
from tf_relax.experiments._vae import train_vae
from tf_relax.experiments._vae_model import SCHEDULES
from tf_relax.experiments._vae_model import VAESettings
from tf_relax.experiments._vae_runs import best_by_validation
from tf_relax.experiments._vae_runs import vae_runs

__all__ = [
    "BenchmarkSettings",
    "CompareSettings",
    "ComponentsSettings",
    "EvaluateSettings",
    "FIGURES",
    "PlaySettings",
    "PrecisionSettings",
    "RLBenchmarkSettings",
    "RLSettings",
    "SCHEDULES",
    "STRATEGIES",
    "SweepSettings",
    "ToySettings",
    "VAESettings",
    "benchmark",
    "best_by_validation",
    "compare",
    "check_writable",
    "components",
    "describe_device",
    "draw_figures",
    "evaluate_vae",
    "keep_freed_memory",
    "play",
    "precision",
    "print_table",
    "require_gpu",
    "rl_benchmark",
    "run_toy",
    "setting",
    "train_rl",
    "train_sweep",
    "train_toy",
    "train_vae",
    "vae_runs",
    "write_csv",
    "write_flags",
    "write_tables",
]
