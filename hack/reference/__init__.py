"""The pages of docs/reference that follow from the code: the API from its models, the command line from its help."""
