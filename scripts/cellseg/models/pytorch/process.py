"""torch in this process. Import this before ``torch``: what it sets is read when torch is imported.

torch is an add-on (``make detectors``), so this module does not import it before it is asked to.
"""

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from cellseg.errors import UserError

# Read once, when torch is imported. Threads that wait would else spin: on a machine that others
# use, a step on two threads took five times the processor time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# TensorFlow and Triton each bring an LLVM: a process that loads Triton second ends with a
# segmentation fault. torch and torchvision ask for Triton and do without it: only compiling needs
# it.
if "tensorflow" in sys.modules:
    sys.modules.setdefault("triton", None)


@contextmanager
def needed_by(what: str, packages: Collection[str]) -> Iterator[None]:
    """Import packages of the add-on in the block.

    Parameters
    ----------
    what : subject and verb of the message, such as ``instance detectors need``
    packages : names of those that may be missing

    Raises
    ------
    UserError
        One of `packages` is not installed. Names the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in packages:
            raise
        raise UserError(
            f"{what} the package {error.name}, which is not installed here. Install it into "
            ".venv: make detectors"
        ) from error
