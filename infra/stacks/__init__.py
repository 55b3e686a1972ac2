"""The stacks of a stage: what must survive a deployment, and what may be replaced by one."""
