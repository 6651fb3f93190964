"""The models: classical classifiers and neural networks."""
