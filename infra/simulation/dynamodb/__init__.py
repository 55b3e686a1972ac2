"""A model of DynamoDB in memory: what AWS documents, and no more than it promises.

One call is one atomic step. Names are as on the wire: an item is `{"pk": {"S": "…"}, …}`. What
goes into a call and what comes out of it is shared with the model, so nobody may change it; the
transport makes JSON of it anyway. Keys are texts, as in every table of ours.

An operation or a parameter that the model has not got raises NotImplementedError: never a guess.
"""

from infra.simulation.dynamodb.database import DynamoDb
from infra.simulation.dynamodb.tables import Change, IndexSpec, TableSpec

__all__ = ["Change", "DynamoDb", "IndexSpec", "TableSpec"]
