"""The AWS side of Riel: the CDK app, its stages, and the same template on the embedded engine."""

import os

# Node.js 20 runs the CDK well, and its end-of-life banner fills the screen at every synthesis. It
# has to be silenced before aws_cdk is imported, because the import starts Node.js.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
