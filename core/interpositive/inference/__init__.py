"""Running a model over frames of any size with onnxruntime."""
