"""What IAM would be asked for of a call of AWS, action and resource, and what a role's own policies allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

REGION: Final = "us-east-1"
ACCOUNT_ID: Final = "123456789012"
"""Moto's own."""

Ask = tuple[str, str]
"""An action, and the ARN it is about."""

# The permission is not always called as the operation is (Service Authorization Reference).
_ACTIONS_OF_S3: Final = {"ListObjectsV2": "ListBucket", "DeleteObjects": "DeleteObject"}


def asked(service: str, operation: str, params: Mapping[str, Any]) -> set[Ask]:
    """What IAM asks for of one call.

    Args:
        service: by botocore's name.
        operation: as the service calls it.
        params: of the call.

    Raises:
        KeyError: a call nobody has thought of here.
    """
    match service:
        case "dynamodb" if operation == "TransactWriteItems":
            # A transaction needs the actions of its items, and no other.
            writes = [(write, of) for item in params["TransactItems"] for write, of in item.items()]
            return {(f"dynamodb:{write}Item", _table_arn(of)) for write, of in writes}
        case "dynamodb":
            return {(f"dynamodb:{operation}", _table_arn(params))}
        case "s3":
            keys = [item["Key"] for item in params["Delete"]["Objects"]] if "Delete" in params else [params.get("Key")]
            action = f"s3:{_ACTIONS_OF_S3.get(operation, operation)}"
            bucket = f"arn:aws:s3:::{params['Bucket']}"
            return {(action, bucket if key is None else f"{bucket}/{key}") for key in keys}
        case "sqs":
            name = params["QueueUrl"].rpartition("/")[2]
            return {(f"sqs:{operation}", f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}")}
        case "secretsmanager":
            return {(f"secretsmanager:{operation}", params["SecretId"])}
        case "cloudwatch":
            return {(f"cloudwatch:{operation}", "*")}
    raise KeyError(f"{service}:{operation}")


def _table_arn(params: Mapping[str, Any]) -> str:
    index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{params['TableName']}{index}"


@dataclass(frozen=True, slots=True)
class Role:
    """A role as it was created: patterns of actions and of ARNs that its policies allow together."""

    allowed: frozenset[Ask]

    @classmethod
    def read_back(cls, iam: Any, name: str) -> Role:
        """That of this name; it has policies of its own alone, and none denies anything."""
        assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
        allowed: set[Ask] = set()
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document: Any = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                assert statement["Effect"] == "Allow"
                allowed |= {
                    (action, arn) for action in _as_list(statement["Action"]) for arn in _as_list(statement["Resource"])
                }
        return cls(frozenset(allowed))

    def allows(self, ask: Ask) -> bool:
        """Whether one of its statements is about this action on this resource."""
        action, arn = ask
        return any(fnmatchcase(action, may) and fnmatchcase(arn, about) for may, about in self.allowed)


def _as_list(value: Any) -> list[str]:
    """IAM writes a list of one as its element."""
    return value if isinstance(value, list) else [value]
