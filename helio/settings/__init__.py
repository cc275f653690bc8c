"""What users choose: checked values, what they mean, and the files that hold them.

The settings themselves stand where they are used, one class of `helio.settings.checking.Settings` per command. May
import `helio.errors` and `helio.files`; never a folder above it.
"""
