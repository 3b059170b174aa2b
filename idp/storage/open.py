"""Opens the store that the settings name. The one place that knows which engines there are."""

from pathlib import Path

from idp.base.clock import Clock
from idp.base.config import Settings
from idp.base.errors import Misconfigured
from idp.ports import Repository

CURE = "Use `sqlite`, `sqlite:/absolute/path.db` or `mongodb://host/database`."


def open_repository(settings: Settings, clock: Clock) -> Repository:
    """`sqlite` is idp.db in the data folder (made with mode 0700 if absent). Raises Misconfigured, StoreUnavailable.

    The URL is never repeated in a message: it may hold a password.
    """
    url = settings.store.url.strip()
    scheme, _, rest = url.partition(":")
    if url == "sqlite":
        return _sqlite(_in_data_folder(settings.data_dir), clock)
    if scheme == "sqlite":
        path = Path("/" + rest.lstrip("/")) if rest.startswith("/") else Path(rest)
        if not path.is_absolute() or rest.endswith("/"):
            raise Misconfigured("store.url", "The path of the SQLite file is not absolute.", CURE)
        return _sqlite(path, clock)
    if scheme in ("mongodb", "mongodb+srv"):
        from idp.storage.mongo import MongoRepository  # here, as pymongo takes its time to load

        return MongoRepository(url, clock)
    raise Misconfigured("store.url", "There is no store of this kind.", CURE)


def _sqlite(path: Path, clock: Clock) -> Repository:
    from idp.storage.sqlite import SqliteRepository

    return SqliteRepository(path, clock)


def _in_data_folder(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        problem = f"The folder {folder} cannot be made ({error.strerror})."
        raise Misconfigured("data", problem, "Name a folder that this user may make.") from None
    return folder / "idp.db"
