"""When metadata are to be fetched again. Pure; leaves doing it to watch and federations."""

AGAIN_SECONDS = 300.0  # after the first failure; twice as long after each further one
LONGEST_DELAY = 21_600.0
SHORTEST = 300.0
SHORTEST_CACHE = 3600.0  # whatever a cacheDuration says


def after_success(now: float, every: float, valid_until: float | None, cache_seconds: float | None) -> float:
    """When to look again: as often as was wished, as their cacheDuration advises, and at least twice more before they end."""
    delay = min(every, max(SHORTEST_CACHE, cache_seconds if cache_seconds is not None else every))
    if valid_until is not None:
        delay = min(delay, max(SHORTEST, (valid_until - now) / 3))
    return now + delay


def after_failure(now: float, every: float, failures: int) -> float:
    """failures: in a row, this one included."""
    return now + min(AGAIN_SECONDS * float(2 ** min(failures - 1, 10)), LONGEST_DELAY, every)
