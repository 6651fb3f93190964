"""Make a bucket of Cloud Storage, or of a stand-in of it, where it is not there: make_bucket.py NAME."""

import sys

from google.api_core.exceptions import Conflict
from google.cloud import storage

try:
    storage.Client().create_bucket(sys.argv[1])
except Conflict:
    print(f"The bucket {sys.argv[1]} is there.")
else:
    print(f"The bucket {sys.argv[1]} is made.")
