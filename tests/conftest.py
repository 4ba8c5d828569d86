"""For all tests: a cache that is not the user's, and worker processes (pytest-xdist) that do not slow each other down."""

import gc
import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # Set before torch is imported. Workers with one thread per core each compete for the cores and are many times slower.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test asks a real hub; read when huggingface_hub is imported. What listens at this port refuses at once.
os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"

import pytest

from byheart.store import cache_folder
from byheart.training.hardware import cores
from done_once import everything

try:
    import fcntl
except ImportError:  # Windows: `alone` has no effect
    fcntl = None

MODELS = cache_folder() / "models"
MAX_WORKERS = 4  # each uses up to 2 GB of memory
RUNNING, DOOR = Path(__file__), Path(__file__).with_name("toys.py")  # locked, never written


def pytest_configure(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    everything(patch)


def pytest_xdist_auto_num_workers() -> int:
    """The number of workers for `-n auto`: one for each usable core; a container's quota limits them."""
    return min(cores(), MAX_WORKERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that run alone come last. The other workers have then no tests left and lose no time."""
    items.sort(key=_runs_alone)


def pytest_collection_finish() -> None:
    """What collecting imported (torch, transformers) lives until the end: the garbage collector need not walk it, which takes
    a tenth of the time of a sweep."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before pytest-timeout starts its clock
def pytest_runtest_protocol(item: pytest.Item):
    """Runs a test marked `alone` while no other worker runs a test.

    Such a test locks RUNNING exclusively, all others share the lock. A waiting test holds DOOR, so that no later test of
    another worker overtakes it.
    """
    if fcntl is None or not hasattr(item.config, "workerinput"):
        return (yield)
    with RUNNING.open() as running, DOOR.open() as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(running, fcntl.LOCK_EX if _runs_alone(item) else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        return (yield)


def _runs_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    """An empty cache for each worker. The embedded model is the user's: its conversion takes half a minute."""
    folder = tmp_path_factory.mktemp("cache")
    MODELS.mkdir(parents=True, exist_ok=True)
    (folder / "models").symlink_to(MODELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYHEART_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy model on disk, once for each worker. Nothing writes into it."""
    from sweep.toy import make_model

    return make_model(tmp_path_factory.mktemp("toy") / "model")
