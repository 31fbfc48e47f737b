"""The native CPU kernels, as the choice of backends sees them: are they here, and if not, why."""

import os
from functools import cache
from importlib import import_module


@cache
def _why_not_loaded() -> str | None:
    try:
        import_module("recurra._native")
    except ModuleNotFoundError:
        return "no compiler was found when the package was installed"
    except ImportError as error:
        return f"the native part of this installation does not load ({error})"
    return None


def processor_features() -> list[str]:
    """Return the names of the processor's vector extensions, none where the native part is not loaded."""
    if os.environ.get("RECURRA_NO_NATIVE") == "1" or _why_not_loaded() is not None:
        return []
    features: list[str] = import_module("recurra._native").processor_features()
    return features


def reason() -> str | None:
    """Return why the native kernels cannot run here, or None where they can."""
    if os.environ.get("RECURRA_NO_NATIVE") == "1":
        return "RECURRA_NO_NATIVE=1 is set"
    return _why_not_loaded() or "this build has no recurrent kernels yet"


def available() -> bool:
    """Tell whether the native kernels can run here."""
    return reason() is None
