"""Tables, the HTML report and the published results it is set beside."""
