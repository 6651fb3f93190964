"""KFP components: the wiring between the library's stages and Kubeflow's artifacts."""
