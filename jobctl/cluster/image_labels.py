"""The labels of images that jobctl builds. Containers inherit them, so none is a cluster's own."""

ROLE = "jobctl.role"
BUILT_FOR = "jobctl.built-for"
"""Whose image it is. Not the label of the project's parts: containers inherit an image's."""
WAY = "jobctl.base.way"
"""How the base came: see `image_source.Way`."""
