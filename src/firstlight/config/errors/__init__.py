"""Messages for the mistakes of the user: unknown keys, words that Hydra cannot read, and all other exceptions."""

from firstlight.config.errors.messages import MAX_LINES as MAX_LINES
from firstlight.config.errors.messages import conflict_with_resume as conflict_with_resume
from firstlight.config.errors.messages import explain as explain
