"""The workstation side of edgehip: networks, training, evaluation, export to ONNX and TFLite."""
