"""The errors a user can cause and mend."""


class HelioError(Exception):
    """A mistake in the input or the surroundings: the message says what is wrong and what to do.

    The command line prints the message alone; anything that is not a `HelioError` is a defect of Helio.
    """
