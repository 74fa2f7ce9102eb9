"""The exceptions of imagewright, by who must act.

::

    ImagewrightError            anything that we raise on purpose; carries a remedy
    ├── BadInput                the person: the input is wrong            (exit code 2)
    │   └── MachineTrouble      the person: the machine lacks something   (exit code 2)
    ├── CannotDraw              the person: nothing here can draw it      (exit code 3)
    ├── BudgetSpent             the person: the budget is too small       (exit code 4)
    ├── NeedsAnswer             the caller: a question must be answered   (exit code 2)
    ├── Cancelled               nobody: the person stopped the run        (exit code 130)
    └── Fault                   us: a bug or a broken installation        (exit code 1)
"""

from __future__ import annotations


class ImagewrightError(Exception):
    """Something went wrong in a way that we foresaw.

    ``str(error)`` is what happened in one line; ``remedy`` is what to do about it, in one or two lines.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class BadInput(ImagewrightError):
    """What came in cannot be used: a prompt, a file, an option."""

    exit_code = 2


class MachineTrouble(BadInput):
    """The machine and not the words: a full disk, a locked database, too little memory, too few file handles."""


class CannotDraw(ImagewrightError):
    """No flow that can run here can draw the prompt."""

    exit_code = 3


class BudgetSpent(ImagewrightError):
    """The budget ran out before any picture was made."""

    exit_code = 4


class NeedsAnswer(ImagewrightError):
    """A program asked to be asked: the run needs an answer before it can go on; ``resume(run, reply=…)`` gives it."""

    exit_code = 2

    def __init__(self, message: str, remedy: str = "", run: str = "", choices: tuple[str, ...] = ()) -> None:
        super().__init__(message, remedy)
        self.run = run
        """The run that waits."""
        self.choices = choices
        """Sayings that would be clear, best first; none where yes or no is asked."""


class Cancelled(ImagewrightError):
    """The person stopped the run; what was finished is kept."""

    exit_code = 130


class Fault(ImagewrightError):
    """A bug of ours, or an installation that lost a part."""

    exit_code = 1
