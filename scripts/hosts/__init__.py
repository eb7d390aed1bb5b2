"""The shop on several hosts, in network namespaces of this machine, while parts of it fail."""
