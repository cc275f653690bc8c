"""The packages of the extra `frameworks`."""

from functools import partial

from helio.packages import need as _need

need = partial(_need, extra="frameworks")
