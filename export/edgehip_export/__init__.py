"""The workstation side of edgehip: networks, training, evaluation, and export to ONNX and TFLite."""
