"""The study of Henriques et al. 2025: convolutional networks on an exome, honestly and as published."""
