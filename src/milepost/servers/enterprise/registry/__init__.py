"""The container registry of the deployment: where it is, how it is signed in to, and who holds its credentials."""
