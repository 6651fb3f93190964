"""MLflow: one run for the study, under it one for each phentype and method. The only import of mlflow."""
