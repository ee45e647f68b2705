"""Options that several tools have, each said once.

frames: Frames = None
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Plate = Annotated[
    str,
    Field(
        title="Plate", description="Plate sequence: a pattern (%04d or ####), a folder, one frame or a movie."
    ),
]
Frames = Annotated[
    str | None,
    Field(title="Frames", description="Frames such as 1001-1100; without it, all that exist."),
]
LimitingMatte = Annotated[
    str | None,
    Field(
        title="Matte",
        description="Matte sequence that limits the change; where it is black the plate stays bit for bit.",
    ),
]
Overwrite = Annotated[
    bool,
    Field(
        title="Overwrite",
        description="Make every frame again, over any file that is there; else finished frames stay.",
    ),
]
BitDepth = Annotated[
    Literal["as-plate", "half", "float"],
    Field(title="Bit depth", description="Of the written EXR; as-plate is half unless the plate is float."),
]
Compression = Annotated[
    Literal["none", "rle", "zips", "zip", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab"],
    Field(title="Compression", description="Of the written EXR."),
]
MemoryGb = Annotated[
    float | None,
    Field(
        gt=0,
        title="Memory",
        description="GB that frames and tiles may take; without it, a quarter of what is free, at most 2.",
        json_schema_extra={"advanced": True, "unit": "GB"},
    ),
]
