"""Where a study is kept: an address in the settings or in an environment variable, made into an Optuna storage."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from byheart.damage import ROOM, SAME, broken_database, refused
from byheart.errors import Problem, UserError
from byheart.sweep.search.options import SweepOptions
from byheart.sweep.search.patience import Patience, patient_storage

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

PACKAGES = {"postgresql": "pip install 'psycopg[binary]'", "mysql": "pip install mysqlclient"}
DATABASES = ("sqlite", *PACKAGES)
HALF_MADE = ("already exists", "duplicate key", "unique constraint")
TRIES, WAIT_S = 10, 0.5
BUSY_S = 10.0  # SQLite waits this long for another process before it says that the database is locked


def open_storage(sweep: SweepOptions, folder: Path, say: Callable[[str], None] = lambda text: None) -> "BaseStorage":
    """Raises UserError where it cannot be reached; an address that holds a password is never repeated.

    Where another process has locked it, this and every later use of it waits, with a line to `say`.
    """
    address, where = _address(sweep, folder)
    _refuse_damaged(address)
    try:
        return _opened(address, Patience(say))
    except UserError:
        raise
    except Exception as error:  # SQLAlchemy, grpc and the drivers have families of their own
        shown = address if where == "hydra.sweeper.storage" else f"the address in ${sweep.storage_env}"
        kind = address.partition(":")[0].partition("+")[0]
        reason = _without_password(str(error).splitlines()[0], address)
        missing = isinstance(error, ImportError | ModuleNotFoundError)
        fix = PACKAGES.get(kind, "check the address") if missing else "is it running, and can this machine reach it?"
        fix = f"{ROOM}, then {SAME}" if kind == "sqlite" and not missing else fix
        raise UserError(Problem(f"the study's storage cannot be reached: {reason}", where, shown, fix)) from None


def _refuse_damaged(address: str) -> None:
    """SQLite takes an empty file for a new database: the trials that lie beside it would be trained again."""
    kind, _, rest = address.partition(":///")
    file = Path(rest)
    if kind != "sqlite" or not file.exists():
        return
    why = broken_database(file)
    if not why and file.stat().st_size == 0 and any(file.parent.glob("*/outcome.json")):
        why = "it is empty, and trials lie beside it"
    if why:
        raise refused(file, why)


def _address(sweep: SweepOptions, folder: Path) -> tuple[str, str]:
    if sweep.storage_env:
        found = os.environ.get(sweep.storage_env)
        if not found:
            fix = f"export {sweep.storage_env}=postgresql://USER:PASSWORD@HOST/DB"
            what = "this environment variable is not set"
            raise UserError(Problem(what, "hydra.sweeper.storage_env", sweep.storage_env, fix))
        return found, "hydra.sweeper.storage_env"
    return sweep.storage or f"sqlite:///{folder.absolute() / 'study.db'}", "hydra.sweeper.storage"


def _opened(address: str, patience: Patience) -> "BaseStorage":
    """Where two sweeps begin at once in an empty database, one makes the tables, and the other must try again."""
    for _ in range(TRIES - 1):
        try:
            return _open(address, patience)
        except Exception as error:
            if not any(sign in str(error).lower() for sign in HALF_MADE):
                raise
            time.sleep(WAIT_S)
    return _open(address, patience)


def _open(address: str, patience: Patience) -> "BaseStorage":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kind, _, rest = address.partition(":")
    if kind == "journal":
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        file = Path(rest.removeprefix("//")).expanduser()
        file.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(file)))
    if kind == "grpc":
        from optuna.storages import GrpcStorageProxy

        host, _, port = rest.removeprefix("//").partition(":")
        if not (port or "13000").isdigit():
            raise UserError(Problem("the port is no number", "hydra.sweeper.storage", fix="grpc://HOST:13000"))
        proxy = GrpcStorageProxy(host=host or "localhost", port=int(port or 13000))
        proxy.wait_server_ready(timeout=10)
        return proxy
    in_memory = rest in ("//", "///:memory:")  # nothing of it would be left
    if kind.partition("+")[0] not in DATABASES or in_memory:  # after "+" stands the driver: the user's choice
        fix = "sqlite:///FILE, journal:FILE, postgresql://HOST/DB or grpc://HOST:PORT"
        raise UserError(Problem("this kind of storage is not known", "hydra.sweeper.storage", kind, fix))
    options: dict[str, object] = {}
    if kind == "sqlite":
        Path(rest.removeprefix("///")).parent.mkdir(parents=True, exist_ok=True)
        options = {"connect_args": {"timeout": BUSY_S}}  # two sweepers write to one file
    return patient_storage(address, options, patience)


def _without_password(text: str, address: str) -> str:
    """A driver's message without the password, which it may hold alone or within the address."""
    user = address.partition("://")[2].rpartition("@")[0]
    password = user.partition(":")[2]
    for secret in (address, user, password, unquote(password)):
        text = text.replace(secret, "****") if secret else text
    return text
