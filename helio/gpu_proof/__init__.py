"""One command's proof that Helio computes rightly on a GPU, how fast, and how large a system it takes.

In: a model and an empty folder. Out: `gpu-proof.json` there, written anew after each step. Steps run in processes of
their own, one after another, so that each has the whole memory of the device and none can end the others: a failure
is recorded. `steps` says what is done, `prove` in which order and in what time. Imports everything below the command
line; the parent process never touches a device.
"""

from helio.gpu_proof.proof import Scope, check_gpu, find_model, prove

__all__ = ["Scope", "check_gpu", "find_model", "prove"]
