"""The errors a person is expected to meet, in one tree.

    InterpositiveError
      UsageError               options that do not fit together
      Cancelled                the artist or the host asked to stop
      FrameRangeError          a frame range or file pattern that cannot be read
      PlateError               something is wrong with footage
        MissingFramesError       frames that should be there are not
        DamagedFrameError        a file that is truncated or not an image
        SizeMismatchError        frames of one sequence, or plate and keyframe, differ in size
        ChannelError             a layer or channel that is not in the file
      ColourSpaceError         a colour space that is unknown, or was never declared
      ModelError               something is wrong with a model folder
        DamagedModelError        files missing, truncated or changed
        ForeignModelError        not a model of ours, or of another kind
        NewerModelError          written by a newer version
      TrainingError            training cannot start or go on
        NothingToLearnError      plate and keyframes are the same
        KeyframeError            keyframes that do not fit the plate
      ProjectError             something is wrong with a project folder
        CatalogueError           its catalogue of clips cannot be used
          DamagedCatalogueError    not a catalogue, or no longer whole
          NewerCatalogueError      written by a newer version
        RightsError              a rights file that does not say clearly who may do what
      GradeError               a CDL or LUT that cannot be read, or breaks its own rules
      OutputError              the result cannot be written
      FolderBusyError          another run holds the folder
      EngineError              the engine process, seen from a host
        EngineNotFoundError      not installed where the host looks
        EngineDiedError          ended without an answer
        ProtocolError            said something that is not in the protocol

Each message is one line: what, where, found against expected, and the next step. Standard library
only; hosts import this.
"""

from __future__ import annotations


class InterpositiveError(Exception):
    """Root of every error that is reported as one line rather than as a traceback."""


class UsageError(InterpositiveError):
    """Options that do not fit together."""


class Cancelled(InterpositiveError):
    """The artist or the host asked to stop."""


class FrameRangeError(InterpositiveError):
    """A frame range or file pattern that cannot be read."""


class PlateError(InterpositiveError):
    """Something is wrong with footage."""


class MissingFramesError(PlateError):
    """Frames that should be there are not."""


class DamagedFrameError(PlateError):
    """A file that is truncated or not an image."""


class SizeMismatchError(PlateError):
    """Frames of one sequence, or plate and keyframe, differ in size."""


class ChannelError(PlateError):
    """A layer or channel that is not in the file."""


class ColourSpaceError(InterpositiveError):
    """A colour space that is unknown, or was never declared."""


class ModelError(InterpositiveError):
    """Something is wrong with a model folder."""


class DamagedModelError(ModelError):
    """Files missing, truncated or changed."""


class ForeignModelError(ModelError):
    """Not a model of ours, or of another kind."""


class NewerModelError(ModelError):
    """Written by a newer version."""


class TrainingError(InterpositiveError):
    """Training cannot start or go on."""


class NothingToLearnError(TrainingError):
    """Plate and keyframes are the same."""


class KeyframeError(TrainingError):
    """Keyframes that do not fit the plate."""


class ProjectError(InterpositiveError):
    """Something is wrong with a project folder."""


class CatalogueError(ProjectError):
    """A project's catalogue of clips cannot be used."""


class DamagedCatalogueError(CatalogueError):
    """Not a catalogue, or no longer whole."""


class NewerCatalogueError(CatalogueError):
    """Written by a newer version."""


class RightsError(ProjectError):
    """A rights file that does not say clearly who may do what."""


class GradeError(InterpositiveError):
    """A CDL or LUT that cannot be read, or breaks its own rules."""


class OutputError(InterpositiveError):
    """The result cannot be written."""


class FolderBusyError(InterpositiveError):
    """Another run holds the folder."""


class EngineError(InterpositiveError):
    """The engine process, seen from a host."""


class EngineNotFoundError(EngineError):
    """The engine is not installed where the host looks."""


class EngineDiedError(EngineError):
    """The engine ended without an answer."""


class ProtocolError(EngineError):
    """A message that is not in the protocol."""
